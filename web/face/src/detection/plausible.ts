/** Whether five points and box are those of an upright face (mlanet.detection.plausible). */
import { roundHalfToEven } from "../geometry/rounding";
import type { Point } from "../image/picture";
import type { Candidate, FivePoints } from "./candidates";

/** Height from the eyes to the mouth over the box's. */
const EYES_TO_MOUTH = [0.3, 0.46] as const;
/** Least height of a box over its width. */
const NARROWEST = 1;
/** How far the line from the eyes to the mouth may be off the vertical. */
const MOST_ROLL_DEG = 35;
/** Place of the nose's tip on the way from the eyes to the mouth. */
const NOSE = [0.36, 0.68] as const;

export function isUpright({ box: [left, top, right, bottom], points }: Candidate): boolean {
  const [eyes, down] = [middle(points[0], points[1]), eyesToMouth(points)];
  const roll_deg = (Math.abs(Math.atan2(down[0], down[1])) * 180) / Math.PI;
  const nose = ((points[2][0] - eyes[0]) * down[0] + (points[2][1] - eyes[1]) * down[1]) / Math.max(down[0] ** 2 + down[1] ** 2, 1e-12);
  return (
    within(down[1] / (bottom - top), EYES_TO_MOUTH) &&
    bottom - top >= NARROWEST * (right - left) &&
    roll_deg < MOST_ROLL_DEG &&
    within(nose, NOSE)
  );
}

/** From the middle of the eyes to that of the mouth. */
export function eyesToMouth(points: FivePoints): Point {
  const [eyes, mouth] = [middle(points[0], points[1]), middle(points[3], points[4])];
  return [mouth[0] - eyes[0], mouth[1] - eyes[1]];
}

/** By how many quarter turns anticlockwise a face comes nearest to upright, 0 to 3. */
export function turnsToUpright(points: FivePoints): number {
  const [right, down] = eyesToMouth(points);
  return (((-roundHalfToEven(Math.atan2(right, down) / (Math.PI / 2))) % 4) + 4) % 4;
}

function middle(a: Point, b: Point): Point {
  return [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
}

function within(value: number, [low, high]: readonly [number, number]): boolean {
  return low < value && value < high;
}
