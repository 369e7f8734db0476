/** The head as meshes that move: what the page draws. Lengths in metres, model frame. */
import { vertexNormals } from "../geometry/mesh";
import type { FaceModel } from "../morphable/model";

const METRES_PER_MM = 1e-3;

/** Offsets of targets up to this length are left out. */
const LEAST_OFFSET_MM = 0.05;

/** How vertices move and normals turn at a full weight. */
export interface Target {
  readonly name: string;
  readonly positions: Float32Array;
  readonly normals: Float32Array;
}

export interface RigMesh {
  readonly name: string;
  readonly roughness: number;
  readonly two_sided: boolean;
  readonly uv: Float32Array;
  readonly triangles: Uint16Array;
  readonly targets: readonly Target[];
}

/** What is the same of all people. Turns of normals are the mean head's. */
export function rigOf(model: FaceModel): RigMesh[] {
  const { layout } = model.header.network;
  const nobody = new Float32Array(layout.sizes.identity);
  const neutral = new Float32Array(layout.sizes.expression);
  const mean = model.vertices(nobody, neutral);
  const straight = vertexNormals(mean, model.triangles);
  const targets = model.header.expressions.map((name, number) => {
    const offsets = model.expressionOffsets(number);
    const turned = vertexNormals(sum(mean, offsets), model.triangles);
    return { name, offsets, turns: turned.map((value, i) => value - straight[i]!) };
  });
  return model.surfaces.map(({ name, roughness, two_sided, uv, triangles, source }) => ({
    name,
    roughness,
    two_sided,
    uv,
    triangles,
    targets: targets.flatMap(({ name, offsets, turns }) => {
      const moved = taken(offsets, source);
      if (!moved.some((value) => Math.abs(value) > LEAST_OFFSET_MM)) return [];
      return [{ name, positions: moved.map((value) => value * METRES_PER_MM), normals: taken(turns, source) }];
    }),
  }));
}

/** A person at rest: positions and normals of each mesh. */
export interface Person {
  readonly meshes: readonly { readonly positions: Float32Array; readonly normals: Float32Array }[];
  /** The middle of the neck's rim. */
  readonly neck: readonly [number, number, number];
}

export function personOf(model: FaceModel, identity: Float32Array): Person {
  const vertices = model.vertices(identity, new Float32Array(model.header.network.layout.sizes.expression));
  const normals = vertexNormals(vertices, model.triangles);
  const metres = vertices.map((value) => value * METRES_PER_MM);
  const neck: [number, number, number] = [0, 0, 0];
  for (const vertex of model.neckRim) for (let c = 0; c < 3; c++) neck[c]! += metres[3 * vertex + c]! / model.neckRim.length;
  return {
    meshes: model.surfaces.map(({ source }) => ({ positions: taken(metres, source), normals: taken(normals, source) })),
    neck,
  };
}

function taken(values: Float32Array, source: Uint16Array): Float32Array {
  const result = new Float32Array(3 * source.length);
  source.forEach((vertex, i) => result.set(values.subarray(3 * vertex, 3 * vertex + 3), 3 * i));
  return result;
}

function sum(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((value, i) => value + b[i]!);
}
