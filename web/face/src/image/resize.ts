/**
 * Pictures in another size, level by level as OpenCV's INTER_AREA and INTER_LINEAR make them: the
 * detector's choice between two places is the same only if it sees the same.
 */
import { roundHalfToEven } from "../geometry/rounding";
import { blank, type Picture } from "./picture";

/**
 * Averaged where the picture becomes smaller, linear between pixels where it becomes larger. If it is
 * to be `quick` and becomes two to four times smaller, it is interpolated to twice the size first.
 */
export function resized(picture: Picture, rows: number, columns: number, quick = false): Picture {
  if (picture.height === rows && picture.width === columns) return picture;
  if (rows >= picture.height) return interpolated(picture, rows, columns);
  const twice = quick && 2 * rows <= picture.height && picture.height <= 4 * rows;
  return averaged(twice ? interpolated(picture, 2 * rows, 2 * columns) : picture, rows, columns);
}

/** What each place of a side covers of the other picture's: first index, and weights from there on. */
interface Taps {
  first: Int32Array;
  weights: Float32Array[];
}

/** Each pixel is the mean of what it covers. */
export function averaged(picture: Picture, rows: number, columns: number): Picture {
  const [timesAcross, timesDown] = [picture.width / columns, picture.height / rows];
  const whole = Number.isInteger(timesAcross) && Number.isInteger(timesDown); // then OpenCV adds first and divides once
  const [across, down] = [areaTaps(picture.width, columns, whole), areaTaps(picture.height, rows, whole)];
  const share = whole ? Math.fround(1 / (timesAcross * timesDown)) : 1;
  const rounded = timesAcross === 2 && timesDown === 2 ? (value: number) => Math.floor(value + 0.5) : roundHalfToEven;
  const result = blank(columns, rows);
  const sums = new Float32Array(3 * columns);
  const row = new Float32Array(3 * columns);
  for (let y = 0; y < rows; y++) {
    sums.fill(0);
    down.weights[y]!.forEach((weight, k) => {
      acrossRow(picture, down.first[y]! + k, across, row);
      for (let i = 0; i < row.length; i++) sums[i]! += Math.fround(weight * row[i]!);
    });
    for (let x = 0, from = 0, to = 4 * y * columns; x < columns; x++, from += 3, to += 4) {
      for (let c = 0; c < 3; c++) result.data[to + c] = rounded(Math.fround(sums[from + c]! * share));
      result.data[to + 3] = 255;
    }
  }
  return result;
}

/** In single precision, step by step as OpenCV adds: a sum that is half a level must not round to the other side. */
function acrossRow(picture: Picture, y: number, { first, weights }: Taps, row: Float32Array): void {
  const { data, width } = picture;
  for (let x = 0; x < weights.length; x++) {
    const own = weights[x]!;
    let [r, g, b] = [0, 0, 0];
    for (let k = 0, at = 4 * (y * width + first[x]!); k < own.length; k++, at += 4) {
      const weight = own[k]!;
      r = Math.fround(r + Math.fround(weight * data[at]!));
      g = Math.fround(g + Math.fround(weight * data[at + 1]!));
      b = Math.fround(b + Math.fround(weight * data[at + 2]!));
    }
    row[3 * x] = r;
    row[3 * x + 1] = g;
    row[3 * x + 2] = b;
  }
}

/** OpenCV leaves out pixels of which a place covers less. */
const LEAST_COVERED = 1e-3;

/** Each place is the mean of what it covers, or the sum. */
function areaTaps(from: number, to: number, sum: boolean): Taps {
  const scale = from / to;
  const first = new Int32Array(to);
  const weights = Array.from({ length: to }, (_, i) => {
    const [start, end] = [i * scale, Math.min((i + 1) * scale, from)];
    first[i] = Math.floor(start + LEAST_COVERED);
    const last = Math.min(Math.ceil(end - LEAST_COVERED), from);
    return Float32Array.from({ length: last - first[i]! }, (_, k) => {
      const pixel = first[i]! + k;
      return sum ? 1 : (Math.min(pixel + 1, end) - Math.max(pixel, start)) / (end - start);
    });
  });
  return { first, weights };
}

/** Steps of OpenCV's weights. */
const WEIGHT_BITS = 11;

/** The pixels before and after each place of a side, and their whole weights. */
interface Pairs {
  before: Int32Array;
  after: Int32Array;
  /** Of the pixel after it; the other's is the rest of 2048. */
  weight: Int32Array;
}

/**
 * Between the two nearest pixels' middles; the border's pixel beyond them. Beyond the border, rows are
 * weighted all the same (`beyond`), as OpenCV does with rows and not with columns: it rounds twice.
 */
function pairsOf(from: number, to: number, beyond: boolean): Pairs {
  const pairs: Pairs = { before: new Int32Array(to), after: new Int32Array(to), weight: new Int32Array(to) };
  const inside = (place: number) => Math.min(Math.max(place, 0), from - 1);
  for (let i = 0; i < to; i++) {
    const exact = Math.fround((i + 0.5) * (from / to) - 0.5);
    const place = beyond ? exact : inside(exact);
    const before = Math.floor(place);
    pairs.before[i] = inside(before);
    pairs.after[i] = inside(before + 1);
    pairs.weight[i] = roundHalfToEven(Math.fround(place - before) * (1 << WEIGHT_BITS));
  }
  return pairs;
}

/** Linear in whole numbers, with OpenCV's order of shifts. */
export function interpolated(picture: Picture, rows: number, columns: number): Picture {
  const [across, down] = [pairsOf(picture.width, columns, false), pairsOf(picture.height, rows, true)];
  const result = blank(columns, rows);
  const whole = 1 << WEIGHT_BITS;
  const { data, width } = picture;
  for (let y = 0, to = 0; y < rows; y++) {
    const [above, below] = [4 * down.before[y]! * width, 4 * down.after[y]! * width];
    const [upper, lower] = [whole - down.weight[y]!, down.weight[y]!];
    for (let x = 0; x < columns; x++, to += 4) {
      const [a, b, right] = [4 * across.before[x]!, 4 * across.after[x]!, across.weight[x]!];
      const left = whole - right;
      for (let c = 0; c < 3; c++) {
        const first = (data[above + a + c]! * left + data[above + b + c]! * right) >> 4;
        const second = (data[below + a + c]! * left + data[below + b + c]! * right) >> 4;
        result.data[to + c] = (((upper * first) >> 16) + ((lower * second) >> 16) + 2) >> 2;
      }
      result.data[to + 3] = 255;
    }
  }
  return result;
}
