/** From the landmarks' predicted variances to how sure one may be (mlanet.network.confidence). */

export interface LogLogistic {
  /** Deviation at which the probability is one half. */
  readonly even_percent: number;
  readonly steepness: number;
}

export interface Confidence {
  readonly landmark: LogLogistic;
  readonly face: LogLogistic;
}

/** Probability that the mean error of the landmarks lies within 5 % of the face's size. */
export function confidenceOfFace(logVariances: Float32Array, { face }: Confidence): number {
  let deviation_percent = 0;
  for (const each of logVariances) deviation_percent += Math.exp(0.5 * each) / logVariances.length;
  const exponent = face.steepness * Math.log(deviation_percent / face.even_percent);
  return 1 / (1 + Math.exp(Math.min(Math.max(exponent, -50), 50)));
}
