/** Square crops (mlanet.image.crop). */
import { roundHalfToEven } from "../geometry/rounding";
import { blank, type Box, type Picture, type Point } from "./picture";

/** Side of a crop over the longer side of the 68 landmarks' bounding box. */
export const SQUARE_PER_LANDMARKS = Math.SQRT2;

/** Side of the finest grid on which a crop is sampled before it is averaged. */
const MAX_SUPERSAMPLED_PX = 4096;

/** Pixels of the picture to pixels of a crop: x and y times `scale`, plus the shift. */
export interface CropTransform {
  readonly scale: number;
  readonly shift: Point;
}

export interface Crop {
  readonly image: Picture;
  readonly cropFromImage: CropTransform;
}

export function squareTransform([left, top, right, bottom]: Box, size: number): CropTransform {
  const [width, height] = [right - left, bottom - top];
  if (!(width > 0 && Math.abs(width - height) <= 1e-3 * width && width < Infinity))
    throw new RangeError(`a crop needs a square box, got ${width} x ${height} pixels`);
  const scale = (2 * size) / (width + height);
  return { scale, shift: [-left * scale, -top * scale] };
}

/** A pixel of the crop in the picture. */
export function toImage({ scale, shift }: CropTransform, [x, y]: Point): Point {
  return [(x - shift[0]) / scale, (y - shift[1]) / scale];
}

/** The square that a crop of a size shows, in pixels of the picture. */
export function squareOf(transform: CropTransform, size: number): Box {
  return [...toImage(transform, [0, 0]), ...toImage(transform, [size, size])];
}

/** The square box cut out and resampled; outside of the picture lies black. */
export function cropSquare(picture: Picture, box: Box, size: number): Crop {
  const cropFromImage = squareTransform(box, size);
  return { image: resample(picture, cropFromImage, size), cropFromImage };
}

/** For each sample of a side: index of the pixel before it, and the next one's share. */
interface Samples {
  before: Int32Array;
  share: Float32Array;
}

/**
 * Enlarged crops are interpolated linearly. Reduced ones are sampled about once per pixel of the
 * picture and averaged, so that fine texture does not alias.
 */
function resample(picture: Picture, { scale, shift }: CropTransform, size: number): Picture {
  const finer = Math.min(Math.max(roundHalfToEven(1 / scale), 1), Math.max(Math.floor(MAX_SUPERSAMPLED_PX / size), 1));
  const [across, down] = [samples(size, finer, scale, shift[0]), samples(size, finer, scale, shift[1])];
  const result = blank(size, size);
  const sums = new Float32Array(3 * size);
  for (let y = 0; y < size; y++) {
    sums.fill(0);
    for (let k = 0; k < finer; k++) addRow(picture, across, down.before[y * finer + k]!, down.share[y * finer + k]!, finer, sums);
    const weight = 1 / (finer * finer);
    const rounded = finer === 2 ? (value: number) => Math.floor(value + 0.5) : roundHalfToEven; // as OpenCV does
    for (let x = 0, from = 0, to = 4 * y * size; x < size; x++, from += 3, to += 4) {
      for (let c = 0; c < 3; c++) result.data[to + c] = rounded(weight * sums[from + c]!);
      result.data[to + 3] = 255;
    }
  }
  return result;
}

function samples(size: number, finer: number, scale: number, shift: number): Samples {
  const before = new Int32Array(size * finer);
  const share = new Float32Array(size * finer);
  const step = Math.fround(1 / (finer * scale));
  const start = Math.fround((0.5 / finer - shift) / scale - 0.5);
  for (let i = 0; i < before.length; i++) {
    const place = Math.fround(Math.fround(step * i) + start); // in OpenCV's precision
    before[i] = Math.floor(place);
    share[i] = place - before[i]!;
  }
  return { before, share };
}

/** Add one row of samples; `finer` neighbours fall into one pixel of the crop. */
function addRow({ data, width, height }: Picture, { before, share }: Samples, row: number, down: number, finer: number, sums: Float32Array): void {
  const [upper, lower] = [row >= 0 && row < height, row + 1 >= 0 && row + 1 < height];
  if (!upper && !lower) return;
  const at = (there: boolean, index: number) => (there ? data[index]! : 0);
  for (let i = 0; i < before.length; i++) {
    const column = before[i]!;
    const [left, right] = [column >= 0 && column < width, column + 1 >= 0 && column + 1 < width];
    if (!left && !right) continue;
    const [above, below] = [4 * (row * width + column), 4 * ((row + 1) * width + column)];
    const to = 3 * Math.floor(i / finer);
    for (let c = 0; c < 3; c++) {
      const first = between(at(upper && left, above + c), at(upper && right, above + 4 + c), share[i]!);
      const second = between(at(lower && left, below + c), at(lower && right, below + 4 + c), share[i]!);
      sums[to + c]! += roundHalfToEven(between(first, second, down));
    }
  }
}

/** From one value to the next, in OpenCV's precision. */
function between(first: number, second: number, share: number): number {
  return Math.fround(first + Math.fround(share * Math.fround(second - first)));
}

/** The square to crop for the 68 landmarks of a face. */
export function squareFromLandmarks(points: readonly Point[]): Box {
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
  const half = (SQUARE_PER_LANDMARKS * Math.max(right - left, bottom - top)) / 2;
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  return [x - half, y - half, x + half, y + half];
}
