/** Small helpers for elements. */

export function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** A new element with attributes and children. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function save(blob: Blob, name: string): void {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export interface SliderOptions {
  id: string;
  label: string;
  title?: string;
  min: number;
  max: number;
  step: number;
  value: number;
  shown?: (value: number) => string;
  oninput: (value: number) => void;
}

/** A labelled slider with its value beside it. */
export class Slider {
  readonly row: HTMLDivElement;
  private readonly input: HTMLInputElement;
  private readonly output: HTMLOutputElement;

  constructor(private readonly options: SliderOptions) {
    const { id, label, title, min, max, step, value } = options;
    this.input = make("input", {
      id,
      type: "range",
      min: `${min}`,
      max: `${max}`,
      step: `${step}`,
      value: `${value}`,
    });
    this.output = make("output", { for: id });
    this.row = make(
      "div",
      { class: "slider", title: title ?? "" },
      make("label", { for: id }, label),
      this.output,
      this.input,
    );
    this.input.addEventListener("input", () => {
      this.update();
      options.oninput(this.input.valueAsNumber);
    });
    this.update();
  }

  set value(value: number) {
    this.input.value = `${value}`;
    this.update();
  }

  get value(): number {
    return this.input.valueAsNumber;
  }

  private update(): void {
    const { min, max, shown } = this.options;
    const value = this.input.valueAsNumber;
    const words = (shown ?? ((each) => each.toFixed(2)))(value);
    this.output.value = words;
    this.input.setAttribute("aria-valuetext", words);
    const share = (each: number) => (100 * (each - min)) / (max - min);
    const rest = share(Math.min(Math.max(0, min), max)); // the bar begins at zero
    this.input.style.setProperty("--from", `${Math.min(rest, share(value))}%`);
    this.input.style.setProperty("--to", `${Math.max(rest, share(value))}%`);
    this.row.classList.toggle("moved", Math.abs(value) > 0.004);
  }
}
