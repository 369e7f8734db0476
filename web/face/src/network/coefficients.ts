/** The coefficient vector that the network and the face model agree on (mlanet.coefficients). */
import { decodeTranslation, type Pose } from "../geometry/camera";
import { matrixFrom6d, type SixNumbers, type Vector } from "../geometry/rotation";

/** Block sizes in the order of the flat vector. */
export interface LayoutSizes {
  readonly identity: number;
  readonly expression: number;
  readonly albedo: number;
  readonly rotation: number;
  readonly translation: number;
  readonly lighting: number;
}

export interface Coefficients {
  readonly identity: Float32Array;
  readonly expression: Float32Array;
  readonly albedo: Float32Array;
  readonly pose: Pose;
}

export function sizeOfLayout(sizes: LayoutSizes): number {
  return Object.values(sizes).reduce((sum, size) => sum + size, 0);
}

/** A flat vector cut into its blocks; the network saw its crop turned anticlockwise by quarters. */
export function splitVector(vector: Float32Array, sizes: LayoutSizes, quarterTurns = 0): Coefficients {
  if (vector.length !== sizeOfLayout(sizes)) throw new RangeError(`expected ${sizeOfLayout(sizes)} coefficients, got ${vector.length}`);
  let start = 0;
  const take = (count: number) => vector.slice(start, (start += count));
  const [identity, expression, albedo] = [take(sizes.identity), take(sizes.expression), take(sizes.albedo)];
  let rotation = matrixFrom6d(Array.from(take(sizes.rotation)) as unknown as SixNumbers);
  let [x, y, z] = Array.from(take(3)) as unknown as Vector;
  for (let turn = 0; turn < quarterTurns; turn++) {
    const [first, second, third] = rotation;
    rotation = [[-second[0], -second[1], -second[2]], first, third];
    [x, y] = [-y, x];
  }
  return { identity, expression, albedo, pose: { rotation, translation_mm: decodeTranslation([x, y, z]) } };
}
