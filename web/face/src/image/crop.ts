/** Square crops (mlanet.image.crop). */
import { roundHalfToEven } from "../geometry/rounding";
import { blank, part, type Box, type Picture, type Point } from "./picture";
import { averaged, interpolated } from "./resize";

/** Side of a crop over the longer side of the 68 landmarks' bounding box. */
export const SQUARE_PER_LANDMARKS = Math.SQRT2;

/** Side of the finest grid on which a crop is sampled before it is averaged. */
const MAX_SUPERSAMPLED_PX = 4096;

/** How far a crop's borders may be off whole pixels, to be cut there. */
const WHOLE_PX = 1e-6;

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
  const whole = wholeBox(picture, box);
  const image = whole ? resizedPart(part(picture, whole), size, finerOf(cropFromImage.scale, size)) : resample(picture, cropFromImage, size);
  return { image, cropFromImage };
}

/** The same in whole pixels, if it is such a box inside of the picture. */
function wholeBox({ width, height }: Picture, box: Box): Box | undefined {
  const whole = box.map(roundHalfToEven) as unknown as Box;
  const inside = Math.min(whole[0], whole[1]) >= 0 && whole[2] <= width && whole[3] <= height;
  return inside && whole.every((value, k) => Math.abs(value - box[k]!) <= WHOLE_PX) ? whole : undefined;
}

/** How many samples a pixel of the crop has in each direction. */
function finerOf(scale: number, size: number): number {
  return Math.min(Math.max(roundHalfToEven(1 / scale), 1), Math.max(Math.floor(MAX_SUPERSAMPLED_PX / size), 1));
}

function resizedPart(shown: Picture, size: number, finer: number): Picture {
  const samples = interpolated(shown, finer * size, finer * size);
  return finer === 1 ? samples : averaged(samples, size, size);
}

/** For each sample of a side: index of the pixel before it, and the next one's share. */
interface Samples {
  before: Int32Array;
  share: Float32Array;
}

/**
 * Enlarged crops are interpolated linearly. Reduced ones are sampled about once per pixel of the
 * picture and averaged, so that fine texture does not alias. In single precision and with OpenCV's
 * order of operations: one level of one pixel would move what the detector sees by a per cent.
 */
function resample(picture: Picture, { scale, shift }: CropTransform, size: number): Picture {
  const finer = finerOf(scale, size);
  const across = samples(size, finer, scale, shift[0], true);
  const down = samples(size, finer, scale, shift[1], false);
  const result = blank(size, size);
  const sums = new Float64Array(3 * size);
  const rounded = finer === 2 ? (value: number) => Math.floor(value + 0.5) : roundHalfToEven; // as OpenCV does
  for (let y = 0; y < size; y++) {
    sums.fill(0);
    for (let k = 0; k < finer; k++) addRow(picture, across, down.before[y * finer + k]!, down.share[y * finer + k]!, finer, sums);
    for (let x = 0, from = 0, to = 4 * y * size; x < size; x++, from += 3, to += 4) {
      for (let c = 0; c < 3; c++) result.data[to + c] = rounded(sums[from + c]! / (finer * finer));
      result.data[to + 3] = 255;
    }
  }
  return result;
}

/** Columns are placed by one operation of their own precision, rows by two. */
function samples(size: number, finer: number, scale: number, shift: number, fused: boolean): Samples {
  const [step, start] = inverse(finer * scale, finer * shift + finer * scale * 0.5 - 0.5);
  const before = new Int32Array(size * finer);
  const share = new Float32Array(size * finer);
  for (let i = 0; i < before.length; i++) {
    const place = Math.fround((fused ? step * i : Math.fround(step * i)) + start);
    before[i] = Math.floor(place);
    share[i] = place - before[i]!;
  }
  return { before, share };
}

/** The map back of `x -> x * scale + shift`, in single precision. */
function inverse(scale: number, shift: number): [scale: number, shift: number] {
  const back = scale * (1 / (scale * scale));
  return [Math.fround(back), Math.fround(-back * shift)];
}

/** Add one row of samples; `finer` neighbours fall into one pixel of the crop. */
function addRow({ data, width, height }: Picture, { before, share }: Samples, row: number, down: number, finer: number, sums: Float64Array): void {
  if (row < -1 || row >= height) return;
  const [above, below] = [row >= 0 ? 4 * row * width : -1, row + 1 < height ? 4 * (row + 1) * width : -1];
  for (let i = 0; i < before.length; i++) {
    const column = before[i]!;
    if (column < -1 || column >= width) continue;
    const [left, right, to] = [4 * column, column + 1 < width ? 4 * (column + 1) : -1, 3 * Math.floor(i / finer)];
    const along = share[i]!;
    for (let c = 0; c < 3; c++) {
      const a = above >= 0 && left >= 0 ? data[above + left + c]! : 0;
      const b = above >= 0 && right >= 0 ? data[above + right + c]! : 0;
      const d = below >= 0 && left >= 0 ? data[below + left + c]! : 0;
      const e = below >= 0 && right >= 0 ? data[below + right + c]! : 0;
      const upper = Math.fround(a + along * (b - a));
      const lower = Math.fround(d + along * (e - d));
      const value = Math.fround(upper + down * Math.fround(lower - upper));
      sums[to + c]! += roundHalfToEven(value);
    }
  }
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
