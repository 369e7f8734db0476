/** The square that the network is shown, from a detection (mlanet.detection.framing). */
import { roundHalfToEven } from "../geometry/rounding";
import type { Box } from "../image/picture";
import { centerOf, type Candidate } from "./candidates";
import { eyesToMouth } from "./plausible";

/** The crop's centre lies off the box's by this part of the way from the eyes to the mouth. */
const DOWN_PER_EYES_TO_MOUTH = 0.24;
/** Side of the crop over the distance from the eyes to the mouth, in full profile. */
const SIDE_PER_EYES_TO_MOUTH = 3;
/** How much the square of the eyes' distance adds to the square of that distance. */
const EYE_DISTANCE_WEIGHT = 0.2;

/** With whole pixels (mlanet.reconstructor.Reconstructor.crop_box). */
export function squareFromDetection(detection: Candidate): Box {
  const { points } = detection;
  const down = eyesToMouth(points);
  const across = [points[1][0] - points[0][0], points[1][1] - points[0][1]] as const;
  const square = (v: readonly [number, number]) => v[0] ** 2 + v[1] ** 2;
  const side = SIDE_PER_EYES_TO_MOUTH * Math.sqrt(square(down) + EYE_DISTANCE_WEIGHT * square(across));
  if (!(side > 0)) throw new RangeError("the five points of a detection must not coincide");
  const [x, y] = centerOf(detection);
  const [cx, cy] = [x + DOWN_PER_EYES_TO_MOUTH * down[0], y + DOWN_PER_EYES_TO_MOUTH * down[1]];
  const [left, top] = [roundHalfToEven(cx - side / 2), roundHalfToEven(cy - side / 2)];
  const whole = Math.max(roundHalfToEven(side), 1);
  return [left, top, left + whole, top + whole];
}
