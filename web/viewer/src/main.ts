import { element, make, save, Slider } from "./dom";
import { FaceSheet } from "./face_sheet";
import { Player } from "./film";
import { Head, type Mode } from "./head";
import { Idle } from "./idle";
import { Page, type ViewedHead } from "./page";
import { Stage } from "./stage";
import "./style.css";

const MODES: [Mode, string][] = [
  ["photo", "Photo"],
  ["textured", "Textured"],
  ["clay", "Clay"],
  ["wireframe", "Wireframe"],
  ["uv", "UV"],
];

const STILL = matchMedia("(prefers-reduced-motion: reduce)");
const DARK = matchMedia("(prefers-color-scheme: dark)");
const canvas = element<HTMLCanvasElement>("canvas");

class Viewer {
  private readonly stage = new Stage(canvas, STILL);
  private mode: Mode = "textured";
  private head: Head | undefined;
  viewed: ViewedHead;
  private face: FaceSheet | undefined;
  private readonly player: Player;
  private readonly idle: Idle;
  private followed_ms = 0;

  constructor(private readonly page: Page) {
    const wanted = decodeURIComponent(location.hash.slice(1));
    this.viewed = page.heads.find((head) => head.name === wanted) ?? page.heads[0]!;
    element("name").textContent = page.title;
    this.stage.frontal = page.film !== undefined;
    this.player = new Player(page.film, (time_s, at_rest) => this.move(time_s, at_rest), () => this.stage.draw());
    this.idle = new Idle(
      () => !STILL.matches && this.mode !== "photo" && !this.head?.duration_s && !this.stage.turning && !this.face?.playing,
      ([turn, nod, tilt], blink) => {
        this.stage.sway(turn, nod, tilt);
        this.head?.blink(blink);
      },
      () => this.stage.draw(),
    );
    this.stage.onframe = (now_ms) => {
      this.idle.step(now_ms);
      const moving = this.player.step(now_ms);
      return (this.face?.step(now_ms) ?? false) || moving;
    };
    this.addFaces();
    this.addModes();
    this.addTools();
    addEventListener("keydown", (event) => this.onkey(event));
    DARK.addEventListener("change", () => this.show());
  }

  async open(viewed: ViewedHead): Promise<void> {
    this.viewed = viewed;
    const head = await Head.of(await this.page.glb(viewed));
    this.head?.dispose();
    this.head = head;
    this.stage.place(head, viewed.photo);
    const count = viewed.shape ? head.addShape((mesh) => this.modesOf(viewed, mesh)) : 0;
    element("about").textContent = about(head);
    this.addSheets(head, count);
    const photo = element<HTMLImageElement>("photo");
    if (photo.src) URL.revokeObjectURL(photo.src);
    if (viewed.photo) photo.src = this.page.photo(viewed.photo);
    element("modes").querySelector<HTMLInputElement>("[value=photo]")!.parentElement!.hidden =
      !viewed.photo;
    if (this.mode === "photo" && !viewed.photo) this.mode = "textured";
    this.player.take(head.duration_s);
    this.show();
  }

  /** To a time of the file's tracks; sliders follow ten times a second. */
  private move(time_s: number, at_rest: boolean): void {
    this.head?.moveTo(time_s);
    const now_ms = performance.now();
    if (!at_rest && now_ms - this.followed_ms < 100) return;
    this.followed_ms = now_ms;
    this.face?.follow();
  }

  private modesOf(viewed: ViewedHead, mesh: string): Int16Array | undefined {
    const number = viewed.shape?.[mesh];
    return number === undefined ? undefined : new Int16Array(this.page.piece(number).slice().buffer);
  }

  private show(mode: Mode = this.mode): void {
    this.mode = mode;
    element("modes").querySelector<HTMLInputElement>(`[value=${mode}]`)!.checked = true;
    document.body.dataset.mode = mode;
    element("photo").hidden = element("wipe-row").hidden = mode !== "photo";
    this.stage.show(mode);
    this.wipe();
  }

  /** Fit the photo into its place, and cut the drawn head off left of the slider's place. */
  private wipe(): void {
    canvas.style.clipPath = "";
    if (this.mode !== "photo" || !this.viewed.photo) return;
    const { clientWidth: width, clientHeight: height } = canvas;
    const [w, h] = this.viewed.photo.size_px;
    const scale = Math.min(width / w, height / h);
    const [beside, above] = [(width - w * scale) / 2, (height - h * scale) / 2];
    const photo = element("photo");
    photo.style.inset = `${above}px ${beside}px`;
    photo.style.width = `${w * scale}px`;
    photo.style.height = `${h * scale}px`;
    const share = 1 - element<HTMLInputElement>("wipe").valueAsNumber / 100;
    const left = beside + share * w * scale;
    canvas.style.clipPath = `inset(${above}px ${beside}px ${above}px ${left}px round 0 10px 10px 0)`;
  }

  private addModes(): void {
    for (const [mode, label] of MODES) {
      const input = make("input", { type: "radio", name: "mode", value: mode });
      input.addEventListener("change", () => this.show(mode));
      element("modes").append(make("label", {}, input, make("span", {}, label)));
    }
    element("wipe").addEventListener("input", () => this.wipe());
    new ResizeObserver(() => this.wipe()).observe(canvas);
  }

  private addFaces(): void {
    if (this.page.heads.length < 2) return;
    const faces = element("faces");
    faces.hidden = false;
    this.page.heads.forEach((head, number) => {
      const input = make("input", { type: "radio", name: "face", value: head.name, "aria-label": `Face ${number + 1}` });
      input.checked = head === this.viewed;
      input.addEventListener("change", () => void this.open(head));
      const picture = head.photo
        ? make("span", {}, make("img", { src: this.page.photo(head.photo), alt: "" }))
        : make("span", {}, this.page.film ? head.name.replace(/^face_/, "") : `${number + 1}`);
      faces.append(make("label", { title: head.name }, input, picture));
    });
  }

  private addTools(): void {
    element("reset-view").addEventListener("click", () => this.stage.reset());
    element("turntable").addEventListener("click", () => this.turn());
    element("theme").addEventListener("click", () => this.changeTheme());
    element("download-glb").addEventListener("click", async () =>
      save(new Blob([await this.page.glb(this.viewed)], { type: "model/gltf-binary" }), `${this.viewed.name}.glb`),
    );
    element("download-png").addEventListener("click", async () => {
      const picture = await this.stage.picture();
      if (picture) save(picture, `${this.viewed.name}.png`);
    });
    element("download-json").addEventListener("click", () => {
      const text = JSON.stringify({ expression: this.head?.weights }, null, 1);
      save(new Blob([text], { type: "application/json" }), `${this.viewed.name}.expression.json`);
    });
  }

  private turn(): void {
    this.stage.turning = !this.stage.turning;
    element("turntable").setAttribute("aria-pressed", `${this.stage.turning}`);
  }

  private changeTheme(): void {
    const { dataset } = document.documentElement;
    const dark = dataset.theme ? dataset.theme === "dark" : DARK.matches;
    dataset.theme = dark ? "light" : "dark";
    this.show();
  }

  private addSheets(head: Head, modes: number): void {
    const sheets: [string, HTMLElement][] = [];
    this.face = undefined;
    if (head.names.length) {
      this.face = new FaceSheet(head, this.viewed.photo ? "As in photo" : "As in file", STILL, () => this.stage.draw());
      sheets.push(["Expression", this.face.panel]);
    }
    if (modes) sheets.push(["Shape", this.shapeSheet(head, modes)]);
    sheets.push(["Light", this.lightSheet(head)]);
    element("download-json").hidden = !head.names.length;
    addTabs(sheets);
  }

  private shapeSheet(head: Head, count: number): HTMLElement {
    const coefficients = new Array<number>(count).fill(0);
    const sliders = coefficients.map(
      (_, mode) =>
        new Slider({
          id: `shape-${mode}`,
          label: `Shape ${mode + 1}`,
          min: -3,
          max: 3,
          step: 0.05,
          value: 0,
          shown: (value) => `${value > 0 ? "+" : ""}${value.toFixed(1)}`.replace("-", "−"),
          oninput: (value) => {
            coefficients[mode] = value;
            head.shape(coefficients);
            this.stage.draw();
          },
        }),
    );
    const reset = make("button", { type: "button" }, "This person");
    reset.addEventListener("click", () => {
      coefficients.fill(0);
      for (const slider of sliders) slider.value = 0;
      head.shape(coefficients);
      this.stage.draw();
    });
    const words = "The strongest ways in which heads differ, in standard deviations from this person.";
    return make(
      "div",
      { class: "sheet" },
      make("div", { class: "fixed" }, make("p", { class: "hint" }, words), make("div", { class: "row" }, reset)),
      make("section", {}, ...sliders.map(({ row }) => row)),
    );
  }

  private lightSheet(head: Head): HTMLElement {
    const change = () => this.stage.light(from.value, brightness.value);
    const from: Slider = new Slider({
      id: "light-turn",
      label: "From",
      min: -180,
      max: 180,
      step: 5,
      value: -35,
      shown: (value) => (value ? `${Math.abs(value)}° ${value < 0 ? "left" : "right"}` : "ahead"),
      oninput: change,
    });
    const brightness: Slider = new Slider({
      id: "light-strength",
      label: "Brightness",
      min: 0.2,
      max: 2,
      step: 0.05,
      value: 1,
      shown: (value) => `${Math.round(100 * value)} %`,
      oninput: change,
    });
    change();
    const words = "The texture is the photo's: its own light stays in it.";
    return make(
      "div",
      { class: "sheet" },
      make("section", {}, from.row, brightness.row, ...(head.hasDetail ? [this.detailSwitch(head)] : [])),
      ...(this.viewed.photo ? [make("p", { class: "hint" }, words)] : []),
      keysHelp(head, this.viewed.photo !== undefined),
    );
  }

  private detailSwitch(head: Head): HTMLElement {
    const detail = make("input", { type: "checkbox", id: "detail" });
    detail.checked = head.detailed;
    detail.addEventListener("change", () => {
      head.detailed = detail.checked;
      this.show();
    });
    return make("label", { class: "check", for: "detail" }, detail, "Detail: wrinkles told by the photo's shading");
  }

  private onkey(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input[type=search]")) return;
    const own = target === canvas || target === document.body;
    const run = own ? this.turningKeys()[event.key] : undefined;
    const mode = MODES[Number(event.key) - 1];
    if (run) run();
    else if (mode && (mode[0] !== "photo" || this.viewed.photo)) this.show(mode[0]);
    else if (event.key === "0") this.stage.reset();
    else if (event.key === "t") this.turn();
    else if (event.key === "d") this.changeTheme();
    else if (event.key === " " && own && this.head?.duration_s) this.player.toggle();
    else if (event.key === "p") this.demonstrate();
    else return;
    event.preventDefault();
  }

  private demonstrate(): void {
    this.player.pause();
    this.face?.toggle();
  }

  private turningKeys(): Record<string, () => void> {
    const { stage } = this;
    return {
      ArrowLeft: () => stage.turnBy(-1, 0),
      ArrowRight: () => stage.turnBy(1, 0),
      ArrowUp: () => stage.turnBy(0, 1),
      ArrowDown: () => stage.turnBy(0, -1),
      "+": () => stage.zoomBy(1 / 1.1),
      "=": () => stage.zoomBy(1 / 1.1),
      "-": () => stage.zoomBy(1.1),
    };
  }
}

function about(head: Head): string {
  const triangles = `${Math.round(head.triangles).toLocaleString("en")} triangles`;
  return head.names.length ? `${triangles} · ${head.names.length} expressions` : triangles;
}

function addTabs(sheets: [string, HTMLElement][]): void {
  const tabs = sheets.map(([title, panel], number) => {
    const tab = make("button", { type: "button", role: "tab", id: `tab-${number}`, "aria-controls": `sheet-${number}` }, title);
    panel.id = `sheet-${number}`;
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    return tab;
  });
  const choose = (chosen: number, focus = false) => {
    tabs.forEach((tab, number) => {
      tab.setAttribute("aria-selected", `${number === chosen}`);
      tab.tabIndex = number === chosen ? 0 : -1;
      sheets[number]![1].hidden = number !== chosen;
    });
    if (focus) tabs[chosen]!.focus();
  };
  tabs.forEach((tab, number) => {
    tab.addEventListener("click", () => choose(number));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) choose((number + step + tabs.length) % tabs.length, true);
    });
  });
  element("tabs").replaceChildren(...tabs);
  element("sheets").replaceChildren(...sheets.map(([, panel]) => panel));
  choose(0);
}

function keysHelp(head: Head, photo: boolean): HTMLElement {
  const keys: string[][] = [
    ["Drag, arrow keys", "turn"],
    ["Wheel, pinch, + −", "zoom"],
    ["Right drag, two fingers", "move"],
    ["0", "first view"],
    [photo ? "1 to 5" : "2 to 5", "what is shown"],
    ...(head.duration_s ? [["Space", "play or pause"]] : []),
    ...(head.names.length ? [["P", "play all expressions"]] : []),
    ["T", "turn by itself"],
    ["D", "dark or light"],
  ];
  return make(
    "section",
    { "aria-label": "Keys" },
    make("h2", {}, "Keys"),
    make("dl", { class: "keys" }, ...keys.flatMap(([key, does]) => [make("dt", {}, key!), make("dd", {}, does!)])),
  );
}

async function start(): Promise<void> {
  const message = element("message");
  try {
    if (!("DecompressionStream" in window)) throw new Error("this browser is too old to unpack the head");
    const viewer = new Viewer(await Page.read());
    await viewer.open(viewer.viewed);
    message.hidden = true;
    document.body.dataset.ready = "";
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    message.textContent = /webgl/i.test(words) ? "This browser or machine has no WebGL 2, which draws the head." : `The head cannot be shown: ${words}.`;
  }
}

void start();
