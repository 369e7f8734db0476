/** Finds faces: the looks of mlanet.detection.centerface, one by one. */
import { roundHalfToEven } from "../geometry/rounding";
import { cropSquare } from "../image/crop";
import { mirrored, part, turned, type Box, type Picture } from "../image/picture";
import { resized } from "../image/resize";
import { centerOf, decodeMaps, mapped, sizeOf, suppress, turnedBack, type Candidate, type Maps } from "./candidates";
import {
  FILLS,
  FINEST_PX,
  FIRST_PX,
  SECOND_GLANCE_PX,
  TILE_OVERLAP_PX,
  finePx,
  glancePx,
  lookedAtPx,
  needsTiles,
  networkInput,
  tiles,
  type NetworkInput,
} from "./looks";
import { isUpright, turnsToUpright } from "./plausible";

/** Look for a face that fills the whole picture: the picture small, in a wide grey frame. */
const FILLING_LONG_SIDE_PX = 128;
const FILLING_MARGIN_PX = 64;
/** What a face's score exceeds. */
const SCORE_THRESHOLD = 0.5;
const MAX_OVERLAP = 0.3;
/** Least score in a look at the whole picture; what is not convincing is looked at again. */
const PROPOSAL = 0.12;
/** Least score of what a glance leaves in doubt: the first look then follows. */
const DOUBT = 0.05;
/** A score that upright faces reach and few other things do. */
const CONVINCING = 0.8;
/** The same of a face that fills the picture, if it looks less like one upside down. */
const NEARLY_CONVINCING = 0.7;
/** Side of the square around such a face in which it is seen upside down, and of the face in it. */
const [TURNED_PX, TURNED_FACE_PX] = [96, 53];
/** Of so many places beside such a face a close look is had; with more, everything is looked at. */
const MOST_INKLINGS = 4;
/** Side of the square around such a place, and of the face in it. */
const [INKLING_PX, INKLING_FACE_PX] = [64, 32];
/** Side of the square around a doubtful face as the network sees it, and of the face in it. */
const CLOSE_PX = 128;
const CLOSE_FACE_PX = 48;
/** A face that scores less than the first must get this share of it in one of its closer looks. */
const [UNDECIDED, LEAST_AGREEMENT] = [0.6, 0.65];
/** Sides of the squares around an undecided face, and of the face in each. */
const CLOSER = [
  [160, 80],
  [192, 96],
] as const;
/** Turns whose score is less than this behind the best one's are compared in the mirror, too. */
const NEARLY = 0.2;
/** Places of a picture that are looked at again at most, the best first. */
const MOST_DOUBTFUL = 200;

/** Runs the network on a picture. */
export type RunDetector = (input: NetworkInput) => Promise<Maps>;

interface Look {
  margin?: number;
  turn?: number;
  least?: number;
  quick?: boolean;
}

export class CenterFace {
  constructor(private readonly network: RunDetector) {}

  /** Faces in a picture, best score first. */
  async find(image: Picture): Promise<Candidate[]> {
    const picture = reduced(image);
    const found = (await this.atAGlance(picture)) ?? (await this.inAllLooks(picture));
    return [...found]
      .sort((a, b) => b.score - a.score)
      .filter(({ score }) => score > SCORE_THRESHOLD)
      .map((face) => mapped(face, [image.width / picture.width, image.height / picture.height], [0, 0]));
  }

  /** The one face that fills a small picture; undefined if there is more to look at. */
  private async atAGlance(picture: Picture): Promise<Candidate[] | undefined> {
    if (finePx(picture) !== undefined) return undefined;
    for (const [longSide, mostBeside] of [
      [glancePx(picture), MOST_INKLINGS],
      [SECOND_GLANCE_PX, 0],
    ] as const) {
      const seen = await this.look(picture, lookedAtPx(picture, longSide), { least: DOUBT, quick: true });
      const [face] = seen;
      if (!face || sizeOf(face) < FILLS * Math.max(picture.width, picture.height)) return undefined;
      if ((await this.stands(picture, face)) && (await this.isAlone(picture, face, seen, mostBeside))) return [face];
    }
    return undefined;
  }

  /** Whether the best of what a glance sees is an upright face. */
  private async stands(picture: Picture, face: Candidate): Promise<boolean> {
    if (face.score < NEARLY_CONVINCING || !isUpright(face)) return false;
    if (face.score >= CONVINCING) return true;
    const { image } = cropSquare(picture, squareAround(face, TURNED_PX, TURNED_FACE_PX), TURNED_PX);
    return bestScore(await this.run(networkInput(turned(image, 2)))) < face.score;
  }

  /** Whether few places score outside of the best one's box, and none of them is a face. */
  private async isAlone(picture: Picture, face: Candidate, seen: readonly Candidate[], mostBeside: number): Promise<boolean> {
    const [left, top, right, bottom] = face.box;
    const outside = seen.filter((each) => {
      const [x, y] = centerOf(each);
      return x < left || right < x || y < top || bottom < y;
    });
    if (outside.length > mostBeside) return false;
    for (const place of outside) {
      const { image } = cropSquare(picture, squareAround(place, INKLING_PX, INKLING_FACE_PX), INKLING_PX);
      if ((await this.middle(image, INKLING_FACE_PX)).length) return false;
    }
    return true;
  }

  /** What is found in a picture of any kind, scores below the threshold included. */
  private async inAllLooks(picture: Picture): Promise<Candidate[]> {
    let found = await this.confirmed(picture, await this.whole(picture));
    const faces = found.filter(({ score }) => score > SCORE_THRESHOLD);
    for (const turn of faces.length ? turnsOf(faces) : [1, 2, 3]) {
      const others = await this.confirmed(picture, await this.whole(picture, turn, faces.length > 0), turn);
      found = suppress([...found, ...others], MAX_OVERLAP);
    }
    if (!found.some(({ score }) => score > SCORE_THRESHOLD)) {
      const filling = await this.look(picture, FILLING_LONG_SIDE_PX, { margin: FILLING_MARGIN_PX });
      for (const one of filling) found = [...found, ...(await this.closely(picture, one))];
      found = suppress(found, MAX_OVERLAP);
    }
    return this.decided(picture, found);
  }

  /** What was found without undecided faces of which a closer look sees little. */
  private async decided(picture: Picture, found: readonly Candidate[]): Promise<Candidate[]> {
    const kept: Candidate[] = [];
    for (const one of found) {
      const undecided = one.score > SCORE_THRESHOLD && one.score < UNDECIDED;
      if (!undecided || (await this.agreed(picture, one, LEAST_AGREEMENT * one.score))) kept.push(one);
    }
    return kept;
  }

  /** Whether a closer look or its mirror image, turned as the points say, scores `least`. */
  private async agreed(picture: Picture, one: Candidate, least: number): Promise<boolean> {
    const turn = turnsToUpright(one.points);
    for (const [sizePx, facePx] of CLOSER) {
      const { image } = cropSquare(picture, squareAround(one, sizePx, facePx), sizePx);
      const upright = turned(image, turn);
      for (const view of [upright, mirrored(upright)])
        if (bestScore(await this.middle(view, facePx)) >= least) return true;
    }
    return false;
  }

  /** What looks of all sizes propose, in the picture turned by quarters or as it is. */
  private async whole(picture: Picture, turn = 0, tiled = true): Promise<Candidate[]> {
    let found = await this.look(picture, lookedAtPx(picture, FIRST_PX), { turn });
    const fine = finePx(picture);
    if (fine !== undefined) found = completed(found, await this.look(picture, fine, { turn }));
    if (!(tiled && needsTiles(picture))) return found;
    const sure = found.filter(({ score }) => score >= CONVINCING);
    const small: Candidate[] = [];
    for (const tile of tiles(picture))
      if (!sure.some(({ box }) => covers(box, tile))) small.push(...(await this.tile(picture, tile, turn)));
    return completed(found, small);
  }

  /** Small faces in a part of the picture: larger ones were seen before, or are cut here. */
  private async tile(picture: Picture, tile: Box, turn: number): Promise<Candidate[]> {
    const cut = part(picture, tile);
    const found = await this.look(cut, Math.max(cut.width, cut.height), { turn });
    return found.filter((each) => sizeOf(each) < TILE_OVERLAP_PX).map((each) => mapped(each, [1, 1], [tile[0], tile[1]]));
  }

  /** The faces among what was found in a turn: what does not convince is looked at again. */
  private async confirmed(picture: Picture, found: readonly Candidate[], turn = 0): Promise<Candidate[]> {
    const [height, width] = turn % 2 ? [picture.width, picture.height] : [picture.height, picture.width];
    const asSeen = found.map((each) => turnedBack(each, height, width, -turn));
    const faces: Candidate[] = found.filter((_, index) => isConvincing(asSeen[index]!));
    const doubtful = found.map((_, index) => index).filter((index) => !isConvincing(asSeen[index]!));
    for (const index of doubtful.slice(0, MOST_DOUBTFUL)) {
      const first = found[index]!;
      const close = await this.closely(picture, first, turn);
      const better = bestScore(close) > first.score || !isUpright(asSeen[index]!);
      faces.push(...(better ? close : [first]));
    }
    return doubtful.length ? suppress(faces, MAX_OVERLAP) : faces;
  }

  /** The face in one place; none if there is none. */
  private async closely(picture: Picture, one: Candidate, turn = 0): Promise<Candidate[]> {
    const square = squareAround(one);
    const { image } = cropSquare(picture, square, CLOSE_PX);
    let best = await this.middle(turned(image, turn));
    if (!best.some(isConvincing)) [turn, best] = await this.bestTurn(image, turn, best);
    const scale = (square[2] - square[0]) / CLOSE_PX;
    return best.map((each) => mapped(turnedBack(each, CLOSE_PX, CLOSE_PX, turn), [scale, scale], [square[0], square[1]]));
  }

  /** By how many quarter turns a close look sees a face best, and what it sees then. */
  private async bestTurn(close: Picture, known: number, seenThere: Candidate[]): Promise<[number, Candidate[]]> {
    const views = [0, 1, 2, 3].map((turn) => turned(close, turn));
    const seen: Candidate[][] = [];
    for (const [turn, view] of views.entries()) seen.push(turn === known ? seenThere : await this.middle(view));
    const scores = seen.map(bestScore);
    const best = Math.max(...scores);
    const near = scores.map((score) => score > 0 && score >= best - NEARLY);
    for (const [turn, view] of views.entries())
      if (near[turn]) scores[turn] = (scores[turn]! + bestScore(await this.middle(mirrored(view)))) / 2;
    const turn = scores.indexOf(Math.max(...scores));
    return [turn, seen[turn]!.map((each) => ({ ...each, score: scores[turn]! }))];
  }

  /** The best face in the middle of a close look, if there is one of about `facePx`. */
  private async middle(close: Picture, facePx = CLOSE_FACE_PX): Promise<Candidate[]> {
    const found = await this.run(networkInput(close));
    const near = found.filter((each) => {
      const [x, y] = centerOf(each);
      const size = sizeOf(each) / facePx;
      return Math.hypot(x - close.width / 2, y - close.height / 2) < 0.4 * facePx && size > 0.5 && size < 2;
    });
    return suppress(near, MAX_OVERLAP).slice(0, 1);
  }

  /** What scores from `least` in the picture resized to `longSide`, in its own pixels. */
  private async look(image: Picture, longSide: number, { margin = 0, turn = 0, least = PROPOSAL, quick = false }: Look = {}): Promise<Candidate[]> {
    const scale = longSide / Math.max(image.width, image.height);
    const [rows, columns] = [scaled(image.height, scale), scaled(image.width, scale)];
    const small = turned(resized(image, rows, columns, quick), turn);
    const found = suppress(await this.run(networkInput(small, margin), least), MAX_OVERLAP);
    return found
      .map((each) => turnedBack(mapped(each, [1, 1], [-margin, -margin]), rows, columns, turn))
      .map((each) => mapped(each, [image.width / columns, image.height / rows], [0, 0]));
  }

  private async run(input: NetworkInput, least = PROPOSAL): Promise<Candidate[]> {
    return decodeMaps(await this.network(input), Math.min(least, SCORE_THRESHOLD));
  }
}

/** The picture as the finest look sees it, if it is larger. */
function reduced(image: Picture): Picture {
  const scale = lookedAtPx(image, FINEST_PX) / Math.max(image.width, image.height);
  return scale >= 1 ? image : resized(image, scaled(image.height, scale), scaled(image.width, scale));
}

/** The square of a close look that has `size` pixels, and the face in it `facePx`. */
function squareAround(face: Candidate, size = CLOSE_PX, facePx = CLOSE_FACE_PX): Box {
  const half = (sizeOf(face) * size) / facePx / 2;
  const [x, y] = centerOf(face);
  return [x - half, y - half, x + half, y + half];
}

function scaled(side: number, scale: number): number {
  return Math.max(1, roundHalfToEven(side * scale));
}

function bestScore(found: readonly Candidate[]): number {
  return Math.max(0, ...found.map(({ score }) => score));
}

/** Certain ones whose points and box agree need no second look. */
function isConvincing(candidate: Candidate): boolean {
  return candidate.score >= CONVINCING && isUpright(candidate);
}

/** What a look found and what a finer one adds: convincing faces stay as they were seen. */
function completed(found: readonly Candidate[], finer: readonly Candidate[]): Candidate[] {
  const both = [...found, ...finer];
  const rank = both.map(({ score }, index) => score + Number(score >= CONVINCING && index < found.length));
  return suppress(both, MAX_OVERLAP, rank);
}

/** By which quarter turns faces that do not stand upright would. */
function turnsOf(faces: readonly Candidate[]): number[] {
  const turns = new Set(faces.map(({ points }) => turnsToUpright(points)));
  turns.delete(0);
  return [...turns].sort();
}

/** Whether a box hides a tile: there is nothing but a part of a face that is known. */
function covers(box: Box, tile: Box): boolean {
  return box[0] <= tile[0] && box[1] <= tile[1] && box[2] >= tile[2] && box[3] >= tile[3];
}
