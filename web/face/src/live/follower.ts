/** One person through the pictures of a camera: found once, then followed (mlanet.video.tracker). */
import type { FivePoints } from "../detection/candidates";
import { turnsToUpright } from "../detection/plausible";
import { squareFromLandmarks } from "../image/crop";
import type { Box, Picture, Point } from "../image/picture";
import type { FoundFace, Reconstruction, Reconstructor } from "../reconstructor";

/** The square stays if it would move or grow by less than this part of its side. */
const STILL = 0.02;
/** How far a face may be off the square that it was expected in, in sides. */
const MOST_DISPLACEMENT = 0.3;
/** Below it the detector is asked. */
const LEAST_CONFIDENCE = 0.15;
/** The detector is asked so often while nobody is there. */
const SEARCH_EVERY_MS = 200;

export class Follower {
  private last: Reconstruction | undefined;
  private searched_ms = -Infinity;

  constructor(private readonly reconstructor: Reconstructor) {}

  /** The person in the next picture; undefined if nobody is there. */
  async next(image: Picture, now_ms: number): Promise<Reconstruction | undefined> {
    this.last = (await this.followed(image)) ?? (await this.found(image, now_ms));
    return this.last;
  }

  private async followed(image: Picture): Promise<Reconstruction | undefined> {
    if (!this.last) return undefined;
    const { landmarks_px, square_px } = this.last;
    const expected = squareFromLandmarks(landmarks_px);
    const side = expected[2] - expected[0];
    const still = expected.every((value, k) => Math.abs(value - square_px[k]!) < STILL * side);
    const square = still ? square_px : expected;
    const face = await this.reconstructor.faceIn(image, square, turnsToUpright(fivePoints(landmarks_px)));
    return face.confidence < LEAST_CONFIDENCE || displacement(face) > MOST_DISPLACEMENT ? undefined : face;
  }

  private async found(image: Picture, now_ms: number): Promise<Reconstruction | undefined> {
    if (now_ms - this.searched_ms < SEARCH_EVERY_MS) return undefined;
    this.searched_ms = now_ms;
    const faces = await this.reconstructor.faces(image);
    return faces.sort((a, b) => sideOf(b) - sideOf(a))[0];
  }
}

function sideOf({ square_px: [left, , right] }: FoundFace): number {
  return right - left;
}

/** The points that a detector would have said. */
function fivePoints(points: readonly Point[]): FivePoints {
  const mean = (from: number, to: number): Point => {
    const some = points.slice(from, to);
    return [some.reduce((sum, [x]) => sum + x, 0) / some.length, some.reduce((sum, [, y]) => sum + y, 0) / some.length];
  };
  return [mean(36, 42), mean(42, 48), points[30]!, points[48]!, points[54]!];
}

/** How far a face is off the middle and the size of the square it was seen in, in sides. */
function displacement({ square_px, landmarks_px }: Reconstruction): number {
  const place = ([left, top, right, bottom]: Box) => [(left + right) / 2, (top + bottom) / 2, right - left] as const;
  const [x, y, side] = place(square_px);
  const [u, v, found] = place(squareFromLandmarks(landmarks_px));
  return Math.max(Math.hypot(u - x, v - y) / side, Math.abs(Math.log(found / side)));
}
