/** The sheet of expressions: search, sliders, and a demonstration of all. */
import { make, Slider } from "./dom";
import { grouped, otherSide, PRESETS, readable } from "./expressions";
import type { Head } from "./head";

const SHOWN_MS = 900; // for one expression of the demonstration
const GLIDE_MS = 320; // from one face to another

export class FaceSheet {
  readonly panel = make("div", { class: "sheet" });
  private readonly sliders = new Map<string, Slider>();
  private readonly search = make("input", { type: "search", placeholder: "Search expressions", "aria-label": "Search expressions", autocomplete: "off", spellcheck: "false" });
  private readonly both = make("input", { type: "checkbox", id: "both" });
  private readonly play = make("button", { type: "button", id: "play", "aria-pressed": "false" }, "Play all");
  private readonly status = make("p", { class: "status", role: "status" });
  private glide: { start_ms: number; from: Record<string, number>; to: Record<string, number> } | undefined;
  private demonstration: { start_ms: number; before: Record<string, number>; shown: string } | undefined;

  constructor(
    private readonly head: Head,
    asAtFirst: string,
    private readonly still: MediaQueryList,
    private readonly changed: () => void,
  ) {
    const photo = make("button", { type: "button", id: "as-photo" }, asAtFirst);
    const neutral = make("button", { type: "button", id: "neutral" }, "Neutral");
    photo.addEventListener("click", () => this.take(head.initial));
    neutral.addEventListener("click", () => this.take({}));
    this.play.addEventListener("click", () => this.toggle());
    this.search.addEventListener("input", () => this.filter());
    const sided = head.names.some((name) => head.names.includes(otherSide(name)));
    this.panel.append(
      make("div", { class: "fixed" },
        make("div", { class: "row" }, photo, neutral, this.play),
        ...this.presets(),
        this.search,
        ...(sided ? [make("label", { class: "check", for: "both" }, this.both, "Move both sides together")] : []),
        this.status,
      ),
    );
    for (const [title, names] of grouped(head.names))
      this.panel.append(
        make("section", { "aria-label": title }, make("h2", {}, title), ...names.map((name) => this.slider(name))),
      );
  }

  /** Set weights, softly where motion is wanted; those that are not named become 0. */
  take(weights: Record<string, number>): void {
    this.stop(false);
    if (this.still.matches) return this.put(weights);
    this.glide = { start_ms: performance.now(), from: { ...this.head.weights }, to: weights };
    this.changed();
  }

  /** Show weights that something else has set. */
  follow(): void {
    for (const [name, slider] of this.sliders) slider.value = this.head.weights[name]!;
  }

  get playing(): boolean {
    return this.demonstration !== undefined;
  }

  toggle(): void {
    if (this.demonstration) return this.stop(true);
    this.demonstration = { start_ms: performance.now(), before: { ...this.head.weights }, shown: "" };
    this.play.textContent = "Stop";
    this.play.setAttribute("aria-pressed", "true");
    this.changed();
  }

  /** Go on with the demonstration, or on the way to another face; whether there is more of it. */
  step(now_ms: number): boolean {
    if (this.glide) return this.go(now_ms, this.glide);
    if (!this.demonstration) return false;
    const { names } = this.head;
    const passed = Math.max(now_ms - this.demonstration.start_ms, 0) / SHOWN_MS;
    const name = names[Math.floor(passed)];
    if (name === undefined) {
      this.stop(true);
      return false;
    }
    const weight = Math.sin(Math.PI * (passed % 1)) ** 0.7;
    // mouthClose closes the lips of an open jaw; alone it pulls one lip over the other.
    this.put({ [name]: weight, ...(name === "mouthClose" ? { jawOpen: weight } : {}) });
    if (this.demonstration.shown !== name) {
      this.demonstration.shown = name;
      this.status.textContent = `${readable(name)} (${Math.floor(passed) + 1} of ${names.length})`;
    }
    return true;
  }

  private go(now_ms: number, { start_ms, from, to }: NonNullable<FaceSheet["glide"]>): boolean {
    const passed = Math.min(Math.max(now_ms - start_ms, 0) / GLIDE_MS, 1);
    const share = 1 - (1 - passed) ** 3;
    const between = (name: string) => (from[name] ?? 0) * (1 - share) + (to[name] ?? 0) * share;
    this.put(Object.fromEntries(this.head.names.map((name) => [name, between(name)])));
    if (passed >= 1) this.glide = undefined;
    return passed < 1;
  }

  /** Buttons of whole faces that this head can make. */
  private presets(): HTMLElement[] {
    const buttons = Object.entries(PRESETS)
      .filter(([, weights]) => Object.keys(weights).every((name) => this.head.names.includes(name)))
      .map(([title, weights]) => {
        const button = make("button", { type: "button", "data-face": title }, title);
        button.addEventListener("click", () => this.take(weights));
        return button;
      });
    return buttons.length ? [make("div", { class: "presets", role: "group", "aria-label": "Faces to make" }, ...buttons)] : [];
  }

  private stop(restore: boolean): void {
    this.glide = undefined;
    if (!this.demonstration) return;
    const { before } = this.demonstration;
    this.demonstration = undefined;
    this.play.textContent = "Play all";
    this.play.setAttribute("aria-pressed", "false");
    this.status.textContent = "";
    if (restore) this.put(before);
  }

  private put(weights: Record<string, number>): void {
    for (const [name, slider] of this.sliders) {
      const weight = weights[name] ?? 0;
      if (this.head.weights[name] === weight) continue;
      this.head.set(name, weight);
      slider.value = weight;
    }
    this.changed();
  }

  private slider(name: string): HTMLElement {
    const slider = new Slider({
      id: name,
      label: readable(name),
      title: name,
      min: 0,
      max: 1,
      step: 0.01,
      value: this.head.weights[name]!,
      oninput: (weight) => {
        this.stop(false);
        this.head.set(name, weight);
        const other = this.sliders.get(otherSide(name));
        if (other && this.both.checked) {
          this.head.set(otherSide(name), weight);
          other.value = weight;
        }
        this.changed();
      },
    });
    this.sliders.set(name, slider);
    return slider.row;
  }

  private filter(): void {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const [name, { row }] of this.sliders) {
      const text = `${name} ${readable(name)}`.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      found += Number(!row.hidden);
    }
    for (const section of this.panel.querySelectorAll("section"))
      section.hidden = !section.querySelector(".slider:not([hidden])");
    this.status.textContent = words.length ? `${found} of ${this.sliders.size}` : "";
  }
}
