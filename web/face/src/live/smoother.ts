/** Less tremble without lag: One-Euro filters (mlanet.video.smoothing, at its default strength). */
import type { Pose } from "../geometry/camera";
import { fromRotationVector, product, rotationVector, transposed, type Vector } from "../geometry/rotation";

interface OneEuro {
  /** Cut-off frequency at rest. */
  readonly still_hz: number;
  /** By how many hertz it rises per unit and second of speed. */
  readonly per_speed: number;
  /** Cut-off frequency of the speed's own filter. */
  readonly speed_hz: number;
}

const EXPRESSION: OneEuro = { still_hz: 0.2, per_speed: 3, speed_hz: 8 };
const ROTATION: OneEuro = { still_hz: 0.05, per_speed: 0.15, speed_hz: 0.2 }; // degrees
const TRANSLATION: OneEuro = { still_hz: 0.1, per_speed: 0.02, speed_hz: 0.3 }; // mm
const MOST_GAP_S = 0.25;
const DEG = Math.PI / 180;

export interface Motion {
  readonly expression: Float32Array;
  readonly pose: Pose;
}

export class Smoother {
  private before: { motion: Motion; time_s: number } | undefined;
  private expressionSpeed = new Float32Array(0);
  private turnSpeed = [0, 0, 0];
  private moveSpeed = [0, 0, 0];

  next(motion: Motion, time_s: number): Motion {
    const { before } = this;
    const elapsed_s = time_s - (before?.time_s ?? -Infinity);
    if (!before || !(elapsed_s > 0 && elapsed_s <= MOST_GAP_S)) return this.start(motion, time_s);
    const expression = motion.expression.map((value, k) => {
      const step = value - before.motion.expression[k]!;
      const speed = (this.expressionSpeed[k]! += share(EXPRESSION.speed_hz, elapsed_s) * (step / elapsed_s - this.expressionSpeed[k]!));
      return before.motion.expression[k]! + taken(EXPRESSION, Math.abs(speed), elapsed_s) * step;
    });
    const old = before.motion.pose;
    const turn = rotationVector(product(motion.pose.rotation, transposed(old.rotation))).map((angle) => angle / DEG);
    const turned = this.follow(ROTATION, this.turnSpeed, turn, elapsed_s).map((angle) => angle * DEG) as unknown as Vector;
    const move = motion.pose.translation_mm.map((value, k) => value - old.translation_mm[k]!);
    const moved = this.follow(TRANSLATION, this.moveSpeed, move, elapsed_s);
    const pose: Pose = {
      rotation: product(fromRotationVector(turned), old.rotation),
      translation_mm: old.translation_mm.map((value, k) => value + moved[k]!) as unknown as Vector,
    };
    this.before = { motion: { expression, pose }, time_s };
    return this.before.motion;
  }

  private start(motion: Motion, time_s: number): Motion {
    this.before = { motion, time_s };
    this.expressionSpeed = new Float32Array(motion.expression.length);
    [this.turnSpeed, this.moveSpeed] = [
      [0, 0, 0],
      [0, 0, 0],
    ];
    return motion;
  }

  /** The part of a step that is taken; the three speeds count together. */
  private follow(filter: OneEuro, speeds: number[], step: readonly number[], elapsed_s: number): number[] {
    step.forEach((value, k) => (speeds[k]! += share(filter.speed_hz, elapsed_s) * (value / elapsed_s - speeds[k]!)));
    const part = taken(filter, Math.hypot(...speeds), elapsed_s);
    return step.map((value) => part * value);
  }
}

function taken({ still_hz, per_speed }: OneEuro, speed: number, elapsed_s: number): number {
  return share(still_hz + per_speed * speed, elapsed_s);
}

/** Of a new value in the low-pass filter's next one. */
function share(cutoff_hz: number, elapsed_s: number): number {
  const rate = 2 * Math.PI * cutoff_hz * elapsed_s;
  return rate / (1 + rate);
}
