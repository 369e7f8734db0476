import exampleAddress from "../../../src/mlanet/data/astronaut.png?url";
import { element, make } from "../../viewer/src/dom";
import { FaceSheet } from "../../viewer/src/face_sheet";
import { Head, type Mode } from "../../viewer/src/head";
import type { PhotoView } from "../../viewer/src/page";
import { eulerDeg } from "./geometry/rotation";
import { hasCamera, lacking } from "./page/abilities";
import { Camera } from "./page/camera";
import { LiveStage } from "./page/live_stage";
import { drawPoints } from "./page/points";
import { sceneOf, type Weights } from "./page/scene";
import "./page/style.css";
import type { Reconstruction } from "./reconstructor";
import { Workshop } from "./background/client";
import type { FoundFaces, MadeHead, Services } from "./background/protocol";

const MODES: [Mode, string][] = [
  ["photo", "Photo"],
  ["textured", "Textured"],
  ["clay", "Clay"],
  ["wireframe", "Wireframe"],
];
const STILL = matchMedia("(prefers-reduced-motion: reduce)");
const DARK = matchMedia("(prefers-color-scheme: dark)");
const NAME_LENGTH = 40;
/** A face before the camera is taken for the head's likeness if it is so sure and so frontal. */
const LIKENESS = { confidence: 0.5, yaw_deg: 20 };
const PATIENCE_MS = 1000; // without a face, before that is said
const SLIDERS_MS = 150; // between two looks at what the camera moves

type Rig = Services["open"]["answer"];

class Page {
  private readonly workshop = new Workshop((share) => this.arrived(share));
  private readonly rig: Promise<Rig> = this.workshop.ask("open", undefined);
  private stage: LiveStage | undefined;
  private head: Head | undefined;
  private sheet: FaceSheet | undefined;
  private mode: Mode = "textured";
  private camera: Camera | undefined;
  private loaded = 0;
  /** What goes on, once everything is loaded. */
  private words = "";
  /** Counts what was asked for: answers to what is no longer wanted are dropped. */
  private visit = 0;
  private redraw = () => {};

  constructor() {
    this.rig.catch(() => {}); // told when it is needed
    element("choose").addEventListener("click", () => element("file").click());
    element("again").addEventListener("click", () => element("file").click());
    element<HTMLInputElement>("file").addEventListener("change", ({ target }) => {
      const input = target as HTMLInputElement;
      const file = input.files?.[0];
      if (file) void this.open(file, file.name);
      input.value = ""; // the same one may be chosen again
    });
    for (const id of ["use-camera", "to-camera"]) element(id).addEventListener("click", () => void this.openCamera());
    element("example").addEventListener("click", () => void this.openExample());
    element("cancel").addEventListener("click", () => this.leave());
    this.takeDrops();
    this.addModes();
    this.addTools();
    window.addEventListener("keydown", (event) => this.onkey(event));
    DARK.addEventListener("change", () => this.show());
    new ResizeObserver(() => this.redraw()).observe(element("points"));
  }

  private takeDrops(): void {
    const take = (data: DataTransfer | null) => {
      const file = data?.files[0];
      if (file) void this.open(file, file.name || "photo");
    };
    window.addEventListener("paste", ({ clipboardData }) => take(clipboardData));
    window.addEventListener("dragover", (event) => {
      event.preventDefault();
      document.body.classList.add("dragging");
    });
    window.addEventListener("dragleave", ({ relatedTarget }) => {
      if (!relatedTarget) document.body.classList.remove("dragging");
    });
    window.addEventListener("drop", (event) => {
      event.preventDefault();
      document.body.classList.remove("dragging");
      take(event.dataTransfer);
    });
  }

  /** Make the head of a photo's face. */
  async open(photo: Blob, name: string): Promise<void> {
    this.leave();
    const visit = this.visit;
    await this.guarded(visit, name, async () => {
      this.busy("Looking for faces …");
      await this.rig;
      const found = await this.workshop.ask("faces", photo);
      if (visit !== this.visit) return;
      if (!found.faces.length) throw new Error("no face is seen in this picture");
      this.showPhoto(photo, found);
      await this.choose(found, largest(found.faces), visit);
    });
  }

  private async openExample(): Promise<void> {
    const visit = ++this.visit;
    await this.guarded(visit, "example", async () => {
      this.busy("Looking for faces …");
      const photo = await (await fetch(new URL(exampleAddress, import.meta.url))).blob();
      if (visit === this.visit) await this.open(photo, "astronaut.png");
    });
  }

  /** Do something; what goes wrong is said in a line, if it is still wanted. */
  private async guarded(visit: number, name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (visit !== this.visit) return;
      const words = error instanceof Error ? error.message : String(error);
      this.leave();
      const short = name.length > NAME_LENGTH ? `${name.slice(0, NAME_LENGTH)}…` : name;
      element("problem").textContent = name ? `${short}: ${words}.` : words;
      element("problem").hidden = false;
    }
  }

  private showPhoto(photo: Blob, found: FoundFaces): void {
    delete document.body.dataset.camera;
    element("video").hidden = element("likeness").hidden = true;
    const address = URL.createObjectURL(photo);
    const [seen, behind] = [element<HTMLImageElement>("seen"), element<HTMLImageElement>("photo")];
    if (seen.src) URL.revokeObjectURL(seen.src);
    seen.src = behind.src = address;
    seen.hidden = false;
    this.enter();
    const buttons = found.faces.map(({ detection: { box } }, number) => {
      const button = make("button", { type: "button", class: "box", "aria-label": `Face ${number + 1}`, "aria-pressed": "false" });
      const percent = (pixels: number, of: number) => `${(100 * Math.min(Math.max(pixels, 0), of)) / of}%`;
      button.style.left = percent((box[0] + box[2]) / 2, found.width);
      button.style.top = percent((box[1] + box[3]) / 2, found.height);
      button.style.width = percent(box[2] - box[0], found.width);
      button.style.height = percent(box[3] - box[1], found.height);
      button.addEventListener("click", () => {
        const visit = ++this.visit;
        void this.guarded(visit, "photo", () => this.choose(found, number, visit));
      });
      return button;
    });
    element("boxes").replaceChildren(...(buttons.length > 1 ? buttons : []));
  }

  /** Show the head of one of the photo's faces. */
  private async choose(found: FoundFaces, number: number, visit: number): Promise<void> {
    const face = found.faces[number]!;
    element("boxes").querySelectorAll("button").forEach((button, k) => button.setAttribute("aria-pressed", `${k === number}`));
    const points = found.faces.map(({ landmarks_px }) => landmarks_px);
    this.redraw = () => drawPoints(element("points"), found.width, found.height, points, number);
    await element<HTMLImageElement>("seen").decode().catch(() => {});
    this.redraw();
    const [pitch, yaw, roll] = eulerDeg(face.coefficients.pose.rotation).map(Math.round);
    element("told").textContent = `${found.faces.length > 1 ? `Face ${number + 1} of ${found.faces.length} · ` : ""}yaw ${yaw}°, pitch ${pitch}°, roll ${roll}°`.replaceAll("-", "−");
    element("message").textContent = this.head ? "" : "Making the head …";
    const made = await this.workshop.ask("head", face);
    if (visit === this.visit) await this.place(made, face, photoView(face, found));
  }

  private async place(made: MadeHead, face: Reconstruction, photo: PhotoView | undefined): Promise<void> {
    const { rig, expressions } = await this.rig;
    const head = new Head(sceneOf(rig, made, weightsOf(expressions, face.coefficients.expression)), []);
    this.stage ??= this.newStage();
    this.head?.dispose();
    this.head = head;
    this.stage.frontal = !photo;
    this.stage.place(head, photo);
    this.sheet = new FaceSheet(head, photo ? "As in photo" : "At first", STILL, () => this.stage!.draw());
    element("sheets").replaceChildren(this.sheet.panel);
    const photoMode = element("modes").querySelector<HTMLInputElement>("[value=photo]")!;
    photoMode.parentElement!.hidden = !photo;
    if (!photo && this.mode === "photo") this.mode = "textured";
    element("message").textContent = "";
    this.show();
    document.body.dataset.ready = "";
  }

  private newStage(): LiveStage {
    const stage = new LiveStage(element("canvas"), STILL);
    stage.light(-35, 1);
    stage.onframe = (now_ms) => this.sheet?.step(now_ms) ?? false;
    return stage;
  }

  async openCamera(): Promise<void> {
    this.leave();
    const visit = this.visit;
    await this.guarded(visit, "", async () => {
      if (!hasCamera()) throw new Error("Browsers give a camera to pages of https addresses and of this computer alone.");
      this.busy("Waiting for the camera …");
      const camera = await Camera.open(element("video"));
      if (visit !== this.visit) return camera.close();
      this.camera = camera;
      this.busy("Loading …");
      await this.rig;
      await this.workshop.ask("forget", undefined);
      if (visit !== this.visit) return;
      this.showCamera();
      await this.follow(camera, visit);
    });
  }

  private showCamera(): void {
    document.body.dataset.camera = "";
    element("seen").hidden = true;
    element("video").hidden = element("likeness").hidden = false;
    element("boxes").replaceChildren();
    element("told").textContent = "Look into the camera.";
    this.enter();
    if (this.head) element("sheets").replaceChildren();
    element("message").textContent = "Looking for you …";
  }

  /** Move the head as the person before the camera, until something else is wanted. */
  private async follow(camera: Camera, visit: number): Promise<void> {
    const { expressions } = await this.rig;
    let likeness = false;
    let [seen_ms, sliders_ms] = [performance.now(), 0];
    element("likeness").onclick = () => (likeness = false);
    while (camera.open && visit === this.visit) {
      const image = await camera.picture();
      const { width, height } = image;
      const now_ms = performance.now();
      const followed = await this.workshop.ask("follow", { image, time_ms: now_ms }, [image]);
      if (visit !== this.visit) return;
      drawPoints(element("points"), width, height, followed ? [followed.face.landmarks_px] : []);
      if (!followed) {
        if (now_ms - seen_ms > PATIENCE_MS) element("told").textContent = "No face is seen.";
        continue;
      }
      seen_ms = now_ms;
      element("told").textContent = "";
      const { face, motion } = followed;
      if (!likeness && isLikeness(face)) {
        const made = await this.workshop.ask("head", face);
        if (visit !== this.visit) return;
        await this.place(made, face, undefined);
        likeness = true;
      }
      if (!likeness || !this.head) continue;
      for (const [name, weight] of Object.entries(weightsOf(expressions, motion.expression))) this.head.set(name, weight);
      this.stage!.turnHead(motion.pose.rotation);
      if (now_ms - sliders_ms > SLIDERS_MS) {
        this.sheet?.follow();
        sliders_ms = now_ms;
      }
    }
  }

  private stopCamera(): void {
    this.camera?.close();
    this.camera = undefined;
  }

  private enter(): void {
    this.busy("");
    element("start").hidden = true;
    element("result").hidden = false;
  }

  /** Back to the first view, where it is said what goes on. */
  private leave(): void {
    this.visit++;
    this.stopCamera();
    this.busy("");
    element("result").hidden = true;
    element("start").hidden = false;
  }

  private busy(words: string): void {
    this.words = words;
    element("busy").hidden = !words;
    if (words) element("problem").hidden = true;
    this.arrived(this.loaded);
  }

  private arrived(share: number): void {
    this.loaded = share;
    element("busy-words").textContent = share < 1 ? `Loading (${Math.round(100 * share)} %) …` : this.words;
  }

  private addModes(): void {
    for (const [mode, label] of MODES) {
      const input = make("input", { type: "radio", name: "mode", value: mode });
      input.addEventListener("change", () => this.show(mode));
      element("modes").append(make("label", {}, input, make("span", {}, label)));
    }
  }

  private show(mode: Mode = this.mode): void {
    this.mode = mode;
    element("modes").querySelector<HTMLInputElement>(`[value=${mode}]`)!.checked = true;
    document.body.dataset.mode = mode;
    element("photo").hidden = mode !== "photo";
    this.stage?.show(mode);
  }

  private addTools(): void {
    element("reset-view").addEventListener("click", () => this.stage?.reset());
    element("turntable").addEventListener("click", () => this.turn());
    element("theme").addEventListener("click", () => this.changeTheme());
  }

  private turn(): void {
    if (!this.stage) return;
    this.stage.turning = !this.stage.turning;
    element("turntable").setAttribute("aria-pressed", `${this.stage.turning}`);
  }

  private changeTheme(): void {
    const { dataset } = document.documentElement;
    dataset.theme = (dataset.theme ? dataset.theme === "dark" : DARK.matches) ? "light" : "dark";
    this.show();
  }

  private onkey(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey || element("result").hidden || target.closest("input[type=search]")) return;
    const own = target === element("canvas") || target === document.body;
    const turning: Record<string, () => void> = {
      ArrowLeft: () => this.stage?.turnBy(-1, 0),
      ArrowRight: () => this.stage?.turnBy(1, 0),
      ArrowUp: () => this.stage?.turnBy(0, 1),
      ArrowDown: () => this.stage?.turnBy(0, -1),
      "+": () => this.stage?.zoomBy(1 / 1.1),
      "=": () => this.stage?.zoomBy(1 / 1.1),
      "-": () => this.stage?.zoomBy(1.1),
    };
    const always: Record<string, () => void> = {
      "0": () => this.stage?.reset(),
      t: () => this.turn(),
      d: () => this.changeTheme(),
      p: () => this.sheet?.toggle(),
      Escape: () => this.leave(),
    };
    const mode = MODES[Number(event.key) - 1]?.[0];
    const run = (own ? turning[event.key] : undefined) ?? always[event.key];
    if (run) run();
    else if (mode && (mode !== "photo" || !this.camera)) this.show(mode);
    else return;
    event.preventDefault();
  }
}

function weightsOf(expressions: readonly string[], values: Float32Array): Weights {
  return Object.fromEntries(expressions.map((name, k) => [name, Math.min(Math.max(values[k]!, 0), 1)]));
}

function largest(faces: FoundFaces["faces"]): number {
  const sides = faces.map(({ square_px: [left, , right] }) => right - left);
  return sides.indexOf(Math.max(...sides));
}

function isLikeness({ confidence, coefficients }: Reconstruction): boolean {
  return confidence >= LIKENESS.confidence && Math.abs(eulerDeg(coefficients.pose.rotation)[1]) <= LIKENESS.yaw_deg;
}

/** Where the photo shows the head. */
function photoView({ camera, coefficients: { pose } }: Reconstruction, { width, height }: FoundFaces): PhotoView {
  return {
    jpeg: 0,
    size_px: [width, height],
    focal_length_px: camera.focal_length_px,
    principal_point_px: [...camera.principal_point_px],
    rotation: pose.rotation.map((row) => [...row]),
    translation_mm: [...pose.translation_mm],
  };
}

const problem = lacking();
if (problem) {
  element("problem").textContent = problem;
  element("problem").hidden = false;
  for (const id of ["choose", "use-camera", "example"]) element<HTMLButtonElement>(id).disabled = true;
} else {
  new Page();
  if (import.meta.env.PROD) void navigator.serviceWorker?.register("offline.js").catch(() => {});
}
