/** The morphable model: shape, albedo, topology and landmarks (mlanet.morphable). Lengths in mm. */
import type { Header } from "./reading";
import { ModelFile } from "./reading";

export const NUM_LANDMARKS = 68;
const AROUND = 8; // vertices that make a new one at an edge's middle

/** Points whose positions are linear in identity and expression coefficients. */
class LinearShape {
  constructor(
    private readonly mean: Float32Array,
    private readonly identity: Float32Array,
    private readonly expression: Float32Array,
  ) {}

  at(identity: ArrayLike<number>, expression: ArrayLike<number>): Float32Array {
    const moved = this.mean.slice();
    addModes(moved, this.identity, identity);
    addModes(moved, this.expression, expression);
    return moved;
  }

  /** The model of points between three vertices each. */
  between(corners: ArrayLike<number>, weights: Float32Array): LinearShape {
    const blended = (values: Float32Array, columns: number) => {
      const result = new Float32Array((corners.length / 3) * columns);
      for (let i = 0; i < corners.length; i++)
        for (let k = 0; k < columns; k++) result[Math.floor(i / 3) * columns + k]! += weights[i]! * values[corners[i]! * columns + k]!;
      return result;
    };
    const columns = (basis: Float32Array) => (3 * basis.length) / this.mean.length;
    return new LinearShape(
      blended(this.mean, 3),
      blended(this.identity, columns(this.identity)),
      blended(this.expression, columns(this.expression)),
    );
  }

  mode(kind: "identity" | "expression", number: number): Float32Array {
    const basis = this[kind];
    const count = basis.length / this.mean.length;
    return Float32Array.from({ length: this.mean.length }, (_, i) => basis[i * count + number]!);
  }
}

/** Add weighted modes, of which a row holds each value's, to values. */
function addModes(values: Float32Array, basis: Float32Array, weights: ArrayLike<number>): void {
  const count = basis.length / values.length;
  for (let i = 0, at = 0; i < values.length; i++) {
    let sum = 0;
    for (let k = 0; k < count; k++, at++) sum += weights[k]! * basis[at]!;
    values[i]! += sum;
  }
}

/** One mesh of the head: its vertices are doubled where the texture has a seam. */
export interface Surface {
  readonly name: string;
  readonly roughness: number;
  readonly two_sided: boolean;
  /** Vertex of the model that each of the mesh's is. */
  readonly source: Uint16Array;
  /** Places in the texture, 0 to 1, from its upper left corner. */
  readonly uv: Float32Array;
  readonly triangles: Uint16Array;
}

export class FaceModel {
  readonly header: Header;
  readonly surfaces: readonly Surface[];
  readonly triangles: Uint16Array;
  /** The vertex on the other side of each one. */
  readonly mirror: Uint16Array;
  /** Number of each vertex's part in `header.parts`. */
  readonly part: Uint8Array;
  /** How much each vertex is of the face, 0 to 255. */
  readonly face: Uint8Array;
  readonly neckRim: Uint16Array;
  private readonly shape: LinearShape;
  private readonly landmarkShape: LinearShape;
  private readonly albedoMean: Float32Array;
  private readonly albedoModes: Float32Array;
  private readonly midpointIndex: Uint16Array;
  private readonly midpointWeight: Float32Array;

  constructor(content: ArrayBuffer) {
    const file = new ModelFile(content);
    this.header = file.header;
    this.shape = new LinearShape(file.floats("mean"), file.floats("identity"), file.floats("expression"));
    this.landmarkShape = this.shape.between(file.whole("landmark_corners"), file.floats("landmark_weights"));
    this.albedoMean = file.floats("albedo_mean");
    this.albedoModes = file.floats("albedo");
    this.midpointIndex = file.whole("midpoint_index") as Uint16Array;
    this.midpointWeight = file.floats("midpoint_weight");
    this.triangles = file.whole("triangles") as Uint16Array;
    this.mirror = file.whole("mirror") as Uint16Array;
    this.part = file.whole("part") as Uint8Array;
    this.face = file.whole("face") as Uint8Array;
    this.neckRim = file.whole("neck_rim") as Uint16Array;
    this.surfaces = file.header.surfaces.map((surface) => ({
      ...surface,
      source: file.whole(`${surface.name}.source`) as Uint16Array,
      uv: Float32Array.from(file.whole(`${surface.name}.uv`), (share) => share / 65535),
      triangles: file.whole(`${surface.name}.triangles`) as Uint16Array,
    }));
  }

  get numVertices(): number {
    return (this.albedoMean.length + (3 * this.midpointIndex.length) / AROUND) / 3;
  }

  /** Vertices of the decoded mesh, three numbers each. */
  vertices(identity: ArrayLike<number>, expression: ArrayLike<number>): Float32Array {
    return this.subdivided(this.shape.at(identity, expression));
  }

  /** How each vertex moves at a full weight of an expression. */
  expressionOffsets(number: number): Float32Array {
    return this.subdivided(this.shape.mode("expression", number));
  }

  landmarks(identity: ArrayLike<number>, expression: ArrayLike<number>): Float32Array {
    return this.landmarkShape.at(identity, expression);
  }

  /** Colours of the decoded mesh's vertices: sRGB in [0, 1]. */
  albedo(coefficients: ArrayLike<number>): Float32Array {
    const base = this.albedoMean.slice();
    addModes(base, this.albedoModes, coefficients);
    const colours = new Float32Array(3 * this.numVertices);
    colours.set(base);
    for (let i = base.length, row = 0; i < colours.length; i += 3, row += AROUND)
      for (let c = 0; c < 3; c++)
        colours[i + c] = (base[3 * this.midpointIndex[row]! + c]! + base[3 * this.midpointIndex[row + 1]! + c]!) / 2;
    return colours.map((value) => Math.min(Math.max(value, 0), 1));
  }

  /** Values at base vertices carried to the decoded mesh (butterfly scheme). */
  private subdivided(base: Float32Array): Float32Array {
    const decoded = new Float32Array(3 * this.numVertices);
    decoded.set(base);
    for (let i = base.length, row = 0; i < decoded.length; i += 3, row += AROUND)
      for (let k = row; k < row + AROUND; k++) {
        const [weight, from] = [this.midpointWeight[k]!, 3 * this.midpointIndex[k]!];
        if (weight) for (let c = 0; c < 3; c++) decoded[i + c]! += weight * base[from + c]!;
      }
    return decoded;
  }
}
