/**
 * The photo's colours on the head's texture, completed where the photo does not show the head: from
 * the other side of the face, else by the model's skin, in both cases with a smooth difference added
 * so that no seam is seen. Simpler than mlanet.render's.
 */
import { fillTriangle, neighboursOf, type Neighbours } from "../geometry/mesh";
import { project } from "../geometry/camera";
import { cropSquare } from "../image/crop";
import { blank, type Box, type Picture } from "../image/picture";
import type { FaceModel } from "../morphable/model";
import type { Reconstruction } from "../reconstructor";
import { seenVertices, type SeenVertices } from "./visibility";

const SQUARE_PER_CROP = 2.2; // the part of the photo that a head may be in, over the crop's side
const MOST_PX = 1024; // of that part
const KNOWN = 0.4; // weight from which a vertex's colour in the photo counts
const PASSES = 160; // of smoothing what is spread over what is not seen
const GROWN_PX = 6; // by which colours reach over the edges of the texture's parts
const FACE = 200; // of 255: surely skin of the face

export function textureOf(model: FaceModel, image: Picture, face: Reconstruction, size: number): Picture {
  const { identity, expression, albedo, pose } = face.coefficients;
  const neighbours = neighboursOf(model.triangles, model.numVertices);
  const seen = seenVertices(model.vertices(identity, expression), model.triangles, neighbours, pose, face.camera);
  const photo = new PhotoColours(image, face.square_px);
  const filled = filledColours(model, model.albedo(albedo), seen, photo, neighbours);
  const texture = blank(size, size);
  const covered = new Uint8Array(size * size);
  const colour = new Float32Array(3);
  for (const { source, uv, triangles } of model.surfaces)
    for (let i = 0; i < triangles.length; i += 3) {
      const corners = [triangles[i]!, triangles[i + 1]!, triangles[i + 2]!] as const;
      const [a, b, c] = corners.map((corner) => source[corner]!) as [number, number, number];
      const [p, q, r] = corners.map((corner) => [uv[2 * corner]! * size, uv[2 * corner + 1]! * size] as const);
      fillTriangle(size, size, [p![0], p![1], q![0], q![1], r![0], r![1]], (texel, u, v, w) => {
        const between = (values: Float32Array, stride: number, k: number) =>
          u * values[stride * a + k]! + v * values[stride * b + k]! + w * values[stride * c + k]!;
        let weight = between(seen.weight, 1, 0);
        if (weight > 0) {
          const [x, y] = project(face.camera, between(seen.camera_mm, 3, 0), between(seen.camera_mm, 3, 1), between(seen.camera_mm, 3, 2));
          if (!photo.at(x, y, colour)) weight = 0;
        }
        for (let k = 0; k < 3; k++) texture.data[4 * texel + k] = weight * colour[k]! + (1 - weight) * between(filled, 3, k);
        texture.data[4 * texel + 3] = 255;
        covered[texel] = 1;
      });
    }
  grow(texture, covered);
  return texture;
}

/** The photo around a head, no finer than a texture needs it. */
class PhotoColours {
  private readonly cut: Picture;
  private readonly scale: number;
  private readonly left: number;
  private readonly top: number;

  constructor(
    private readonly image: Picture,
    [left, top, right, bottom]: Box,
  ) {
    const half = (SQUARE_PER_CROP * (right - left)) / 2;
    const [x, y] = [(left + right) / 2, (top + bottom) / 2];
    [this.left, this.top] = [x - half, y - half];
    const side = Math.max(Math.min(Math.round(2 * half), MOST_PX), 16);
    this.cut = cropSquare(image, [x - half, y - half, x + half, y + half], side).image;
    this.scale = side / (2 * half);
  }

  /** The colour, 0 to 255, at a place of the photo; false beyond its edges. */
  at(x: number, y: number, colour: Float32Array): boolean {
    if (!(x >= 1 && y >= 1 && x <= this.image.width - 1 && y <= this.image.height - 1)) return false;
    const { width, height, data } = this.cut;
    const [u, v] = [(x - this.left) * this.scale - 0.5, (y - this.top) * this.scale - 0.5];
    if (!(u >= 0 && v >= 0 && u < width - 1 && v < height - 1)) return false;
    const [column, row] = [Math.floor(u), Math.floor(v)];
    const [right, down] = [u - column, v - row];
    const at = 4 * (row * width + column);
    for (let c = 0; c < 3; c++) {
      const above = data[at + c]! * (1 - right) + data[at + 4 + c]! * right;
      const below = data[at + 4 * width + c]! * (1 - right) + data[at + 4 * width + 4 + c]! * right;
      colour[c] = above * (1 - down) + below * down;
    }
    return true;
  }
}

/** A colour for each vertex, 0 to 255, that continues what is seen. */
function filledColours(model: FaceModel, albedo: Float32Array, seen: SeenVertices, photo: PhotoColours, neighbours: Neighbours): Float32Array {
  const count = model.numVertices;
  const shown = new Float32Array(3 * count);
  const colour = new Float32Array(3);
  for (let v = 0; v < count; v++) {
    if (!photo.at(seen.pixels[2 * v]!, seen.pixels[2 * v + 1]!, colour)) seen.weight[v] = 0;
    else shown.set(colour, 3 * v);
  }
  const gain = skinGain(model, albedo, seen, shown);
  const grey = Math.min((gain[0]! + gain[1]! + gain[2]!) / 3, 255);
  const skin = model.header.parts.indexOf("skin");
  const base = albedo.map((value, i) => value * (model.part[Math.floor(i / 3)] === skin ? gain[i % 3]! : grey));
  for (let v = 0; v < count; v++) {
    const other = model.mirror[v]!;
    const share = seen.weight[other]! * (1 - seen.weight[v]!);
    for (let c = 0; c < 3; c++) base[3 * v + c]! += share * (shown[3 * other + c]! - base[3 * v + c]!);
  }
  const difference = spread(
    shown.map((value, i) => value - base[i]!),
    seen.weight,
    neighbours,
  );
  return base.map((value, i) => Math.min(Math.max(value + difference[i]!, 0), 255));
}

/** The photo's skin over the model's: medians of the face that is well seen. */
function skinGain(model: FaceModel, albedo: Float32Array, seen: SeenVertices, shown: Float32Array): number[] {
  const well = Array.from(model.face.keys()).filter((v) => model.face[v]! >= FACE && seen.weight[v]! > KNOWN);
  return [0, 1, 2].map((c) => {
    const ratios = well.map((v) => shown[3 * v + c]! / Math.max(albedo[3 * v + c]!, 0.02)).sort((a, b) => a - b);
    return ratios[Math.floor(ratios.length / 2)] ?? 255;
  });
}

/** Differences where they are known, carried from there over all else, ring by ring, and smoothed. */
function spread(difference: Float32Array, weight: Float32Array, { start, list }: Neighbours): Float32Array {
  const known = Uint8Array.from(weight, (value) => Number(value >= KNOWN));
  let field = difference.map((value, i) => (known[Math.floor(i / 3)] ? value : 0));
  const reached = known.slice();
  for (let ring = Array.from(known.keys()).filter((v) => known[v]); ring.length; ) {
    const next = new Set<number>();
    for (const v of ring) for (let k = start[v]!; k < start[v + 1]!; k++) if (!reached[list[k]!]) next.add(list[k]!);
    for (const v of next) meanOf(field, v, start, list, reached);
    for (const v of next) reached[v] = 1;
    ring = [...next];
  }
  for (let pass = 0; pass < PASSES; pass++) {
    const smoothed = field.slice();
    for (let v = 0; v < known.length; v++) if (!known[v] && reached[v]) meanOf(field, v, start, list, reached, smoothed);
    field = smoothed;
  }
  return field;
}

/** Write the mean of a vertex's neighbours that have been reached. */
function meanOf(field: Float32Array, v: number, start: Uint32Array, list: Uint32Array, reached: Uint8Array, to = field): void {
  const sums = [0, 0, 0];
  let count = 0;
  for (let k = start[v]!; k < start[v + 1]!; k++) {
    const near = list[k]!;
    if (!reached[near]) continue;
    for (let c = 0; c < 3; c++) sums[c]! += field[3 * near + c]!;
    count++;
  }
  if (count) for (let c = 0; c < 3; c++) to[3 * v + c] = sums[c]! / count;
}

/** Let colours reach over the edges of what triangles cover. */
function grow({ width, height, data }: Picture, covered: Uint8Array): void {
  let edge = covered;
  for (let pass = 0; pass < GROWN_PX; pass++) {
    const grown = edge.slice();
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const at = y * width + x;
        if (edge[at]) continue;
        const near = [x > 0 && at - 1, x < width - 1 && at + 1, y > 0 && at - width, y < height - 1 && at + width];
        const from = near.find((place) => place !== false && edge[place]);
        if (from === undefined || from === false) continue;
        data.copyWithin(4 * at, 4 * from, 4 * from + 4);
        grown[at] = 1;
      }
    edge = grown;
  }
}
