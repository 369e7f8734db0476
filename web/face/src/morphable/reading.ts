/** The file that assets/browser/face_model.py writes: a JSON header and typed arrays. */
import type { Confidence } from "../network/confidence";
import type { LayoutSizes } from "../network/coefficients";

const FORMAT = "mlanet-browser-model-1";

export interface ArrayPlace {
  readonly type: "float32" | "float16" | "uint16" | "uint8";
  readonly shape: readonly number[];
  readonly start: number;
}

export interface SurfaceHeader {
  readonly name: string;
  readonly roughness: number;
  readonly two_sided: boolean;
}

export interface Header {
  readonly format: string;
  readonly name: string;
  readonly expressions: readonly string[];
  readonly parts: readonly string[];
  readonly network: {
    readonly input_size: number;
    readonly layout: { readonly sizes: LayoutSizes };
    readonly confidence: Confidence | null;
  };
  readonly surfaces: readonly SurfaceHeader[];
  readonly arrays: Readonly<Record<string, ArrayPlace>>;
}

export class ModelFile {
  readonly header: Header;
  private readonly data: ArrayBuffer;

  constructor(content: ArrayBuffer) {
    const length = new DataView(content).getUint32(0, true);
    this.header = JSON.parse(new TextDecoder().decode(new Uint8Array(content, 4, length))) as Header;
    if (this.header.format !== FORMAT) throw new Error(`the face model is of format ${this.header.format}, expected ${FORMAT}`);
    this.data = content.slice(4 + length);
  }

  /** Numbers with a fraction; 16-bit ones are widened. */
  floats(name: string): Float32Array {
    const { type, start, count } = this.place(name);
    if (type === "float32") return new Float32Array(this.data, start, count);
    if (type === "float16") return widened(new Uint16Array(this.data, start, count));
    throw new TypeError(`${name} holds whole numbers`);
  }

  whole(name: string): Uint16Array | Uint8Array {
    const { type, start, count } = this.place(name);
    if (type === "uint16") return new Uint16Array(this.data, start, count);
    if (type === "uint8") return new Uint8Array(this.data, start, count);
    throw new TypeError(`${name} holds numbers with a fraction`);
  }

  private place(name: string): ArrayPlace & { count: number } {
    const place = this.header.arrays[name];
    if (!place) throw new Error(`the face model lacks ${name}`);
    return { ...place, count: place.shape.reduce((product, side) => product * side, 1) };
  }
}

/** IEEE 754 half precision to single. */
export function widened(halves: Uint16Array): Float32Array {
  return Float32Array.from(halves, valueOfHalf);
}

function valueOfHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(half >> 10) & 31, half & 1023];
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
