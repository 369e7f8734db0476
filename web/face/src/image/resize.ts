/** Pictures in another size, as OpenCV's INTER_AREA and INTER_LINEAR make them. */
import { blank, type Picture } from "./picture";

/** What each place of a side takes from the other picture's: first index, and weights from there on. */
interface Taps {
  first: Int32Array;
  weights: Float32Array[];
}

/** Averaged where the picture becomes smaller, linear between pixels where it becomes larger. */
export function resized(picture: Picture, rows: number, columns: number): Picture {
  if (picture.height === rows && picture.width === columns) return picture;
  const taps = rows < picture.height ? areaTaps : linearTaps;
  const [across, down] = [taps(picture.width, columns), taps(picture.height, rows)];
  const result = blank(columns, rows);
  const sums = new Float32Array(3 * columns);
  const row = new Float32Array(3 * columns);
  for (let y = 0; y < rows; y++) {
    sums.fill(0);
    down.weights[y]!.forEach((weight, k) => {
      acrossRow(picture, down.first[y]! + k, across, row);
      for (let i = 0; i < row.length; i++) sums[i]! += weight * row[i]!;
    });
    for (let x = 0, from = 0, to = 4 * y * columns; x < columns; x++, from += 3, to += 4) {
      for (let c = 0; c < 3; c++) result.data[to + c] = Math.floor(sums[from + c]! + 0.5);
      result.data[to + 3] = 255;
    }
  }
  return result;
}

function acrossRow(picture: Picture, y: number, { first, weights }: Taps, row: Float32Array): void {
  const { data, width } = picture;
  for (let x = 0; x < weights.length; x++) {
    const own = weights[x]!;
    let [r, g, b] = [0, 0, 0];
    for (let k = 0, at = 4 * (y * width + first[x]!); k < own.length; k++, at += 4) {
      const weight = own[k]!;
      r += weight * data[at]!;
      g += weight * data[at + 1]!;
      b += weight * data[at + 2]!;
    }
    row[3 * x] = r;
    row[3 * x + 1] = g;
    row[3 * x + 2] = b;
  }
}

/** Each place is the mean of what it covers. */
function areaTaps(from: number, to: number): Taps {
  const scale = from / to;
  const first = new Int32Array(to);
  const weights = Array.from({ length: to }, (_, i) => {
    const [start, end] = [i * scale, Math.min((i + 1) * scale, from)];
    first[i] = Math.floor(start + 1e-6);
    const last = Math.min(Math.ceil(end - 1e-6), from);
    return Float32Array.from({ length: last - first[i]! }, (_, k) => {
      const pixel = first[i]! + k;
      return (Math.min(pixel + 1, end) - Math.max(pixel, start)) / (end - start);
    });
  });
  return { first, weights };
}

/** Between the two nearest pixels' middles; the border's pixel beyond them. */
function linearTaps(from: number, to: number): Taps {
  const scale = from / to;
  const first = new Int32Array(to);
  const weights = Array.from({ length: to }, (_, i) => {
    const place = Math.min(Math.max((i + 0.5) * scale - 0.5, 0), from - 1);
    first[i] = Math.min(Math.floor(place), Math.max(from - 2, 0));
    const share = place - first[i]!;
    return from === 1 ? Float32Array.of(1) : Float32Array.of(1 - share, share);
  });
  return { first, weights };
}
