/** From the maps of a CenterFace network to boxes and points (mlanet.detection.decoding). */
import type { Box, Point } from "../image/picture";

/** Input pixels for one cell of the maps. */
const STRIDE = 4;

/** The subject's right eye, left eye, tip of the nose, right and left corner of the mouth. */
export type FivePoints = readonly [Point, Point, Point, Point, Point];

export interface Candidate {
  readonly box: Box;
  readonly points: FivePoints;
  readonly score: number;
}

/** A float map of the network: channels of `rows` times `columns` cells. */
export interface Maps {
  readonly rows: number;
  readonly columns: number;
  readonly heat: Float32Array;
  readonly logSize: Float32Array;
  readonly offset: Float32Array;
  readonly landmarks: Float32Array;
}

/** Every cell whose heat exceeds the threshold, in pixels of the network's input, unsuppressed. */
export function decodeMaps({ rows, columns, heat, logSize, offset, landmarks }: Maps, threshold: number): Candidate[] {
  const cells = rows * columns;
  const found: Candidate[] = [];
  for (let cell = 0; cell < cells; cell++) {
    if (!(heat[cell]! > threshold)) continue;
    const [row, column] = [Math.floor(cell / columns), cell % columns];
    const y = (row + offset[cell]! + 0.5) * STRIDE;
    const x = (column + offset[cells + cell]! + 0.5) * STRIDE;
    const [height, width] = [Math.exp(logSize[cell]!) * STRIDE, Math.exp(logSize[cells + cell]!) * STRIDE];
    const [left, top] = [x - width / 2, y - height / 2];
    const point = (k: number): Point => [
      left + landmarks[(2 * k + 1) * cells + cell]! * width,
      top + landmarks[2 * k * cells + cell]! * height,
    ];
    found.push({
      box: [left, top, left + width, top + height],
      points: [point(0), point(1), point(2), point(3), point(4)],
      score: heat[cell]!,
    });
  }
  return found;
}

/** Geometric mean of a box's sides. */
export function sizeOf({ box: [left, top, right, bottom] }: Candidate): number {
  return Math.sqrt((right - left) * (bottom - top));
}

export function centerOf({ box: [left, top, right, bottom] }: Candidate): Point {
  return [(left + right) / 2, (top + bottom) / 2];
}

/** The same with `x -> x * scale + shift` applied to every coordinate. */
export function mapped(candidate: Candidate, scale: Point, shift: Point): Candidate {
  return throughPoints(candidate, ([x, y]) => [x * scale[0] + shift[0], y * scale[1] + shift[1]]);
}

/** One of a picture turned by quarters, in the picture of this height and width itself. */
export function turnedBack(candidate: Candidate, height: number, width: number, quarterTurns: number): Candidate {
  return throughPoints(candidate, (point) => pointTurnedBack(point, height, width, quarterTurns));
}

/** A point of the picture turned anticlockwise by quarters, in the picture itself. */
export function pointTurnedBack([x, y]: Point, height: number, width: number, quarterTurns: number): Point {
  switch (((quarterTurns % 4) + 4) % 4) {
    case 1:
      return [width - y, x];
    case 2:
      return [width - x, height - y];
    case 3:
      return [y, height - x];
    default:
      return [x, y];
  }
}

function throughPoints({ box, points, score }: Candidate, map: (point: Point) => Point): Candidate {
  const [a, b] = [map([box[0], box[1]]), map([box[2], box[3]])];
  const [p, q, r, s, t] = points;
  return {
    box: [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])],
    points: [map(p), map(q), map(r), map(s), map(t)],
    score,
  };
}

/** Intersection over union, in [0, 1]. */
export function boxIou(a: Box, b: Box): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  const shared = Math.max(width, 0) * Math.max(height, 0);
  const area = (box: Box) => Math.max(box[2] - box[0], 0) * Math.max(box[3] - box[1], 0);
  const union = area(a) + area(b) - shared;
  return union > 0 ? shared / union : 0;
}

/**
 * The best of those that overlap by more than `maxOverlap`, best first: of the highest score, or of
 * the highest rank. What lies in the inner half of a better one's box and is less than half as large
 * goes, too: an eye or a mouth that a finer look took for a face.
 */
export function suppress(candidates: readonly Candidate[], maxOverlap: number, rank?: readonly number[]): Candidate[] {
  const order = candidates.map((_, index) => index);
  order.sort((a, b) => (rank ? rank[b]! - rank[a]! : candidates[b]!.score - candidates[a]!.score));
  const kept: Candidate[] = [];
  for (const index of order) {
    const one = candidates[index]!;
    if (!kept.some((better) => boxIou(better.box, one.box) > maxOverlap || isPartOf(one, better))) kept.push(one);
  }
  return kept;
}

function isPartOf(one: Candidate, better: Candidate): boolean {
  const [x, y] = centerOf(one);
  const [middleX, middleY] = centerOf(better);
  const [left, top, right, bottom] = better.box;
  const away = Math.max(Math.abs(x - middleX) / (right - left), Math.abs(y - middleY) / (bottom - top));
  return away < 0.25 && sizeOf(one) < 0.5 * sizeOf(better);
}
