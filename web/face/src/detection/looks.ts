/** Which parts of a picture the network is shown, and how large (mlanet.detection.looks). */
import { roundHalfToEven } from "../geometry/rounding";
import type { Box, Picture } from "../image/picture";

/**
 * A small look before the first one, of pictures that have no second one; with a longer side above
 * the third number it is the larger one, so that both show small faces about as large.
 */
const [GLANCE_PX, LARGER_GLANCE_PX, GLANCED_PX] = [128, 160, 460];
/** A look after the glance, where a face fills the picture and the glance did not suffice. */
export const SECOND_GLANCE_PX = 256;
/** Size over the picture's longer side of a face that fills it: a glance may suffice. */
export const FILLS = 0.3;
/** First look: the picture's longer side as the network sees it. */
export const FIRST_PX = 384;
/** Second look, of pictures that the first one shows clearly smaller than they are. */
const FINE_PX = 960;
/** Third look, in tiles. Nothing larger is ever shown, however large the picture is. */
export const FINEST_PX = 1920;
/** A finer look must show the picture larger by this, or it would see nothing new. */
const CLEARLY = 1.5;
/** Pictures that are longer than this over their height or width are shown with the same area. */
const LONG = 2;
/** Longest side of a tile and what neighbours share: the size of the largest face sought in them. */
const TILE_PX = 960;
export const TILE_OVERLAP_PX = 96;
const FRAME_GREY = 128;
/** The network halves its input five times. */
const MULTIPLE = 32;

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The longer side that a look of `longSide` gives a picture. */
export function lookedAtPx({ width, height }: Size, longSide: number): number {
  const [short, long] = [Math.min(width, height), Math.max(width, height)];
  return Math.min(longSide * Math.sqrt(Math.max(long / (LONG * short), 1)), Math.max(longSide, long));
}

/** Longer side of the first small look at a picture. */
export function glancePx({ width, height }: Size): number {
  return Math.max(width, height) <= GLANCED_PX ? GLANCE_PX : LARGER_GLANCE_PX;
}

/** Longer side of the second look; undefined if it would see nothing new. */
export function finePx(size: Size): number | undefined {
  const most = Math.min(Math.max(size.width, size.height), lookedAtPx(size, FINE_PX));
  return most >= CLEARLY * lookedAtPx(size, FIRST_PX) ? most : undefined;
}

/** Whether a third look sees something new in a picture as large as that look or smaller. */
export function needsTiles(size: Size): boolean {
  return Math.max(size.width, size.height) >= CLEARLY * lookedAtPx(size, FINE_PX);
}

/** Overlapping parts that cover a picture, of nearly equal size. */
export function tiles({ width, height }: Size): Box[] {
  return spans(height).flatMap(([top, bottom]) => spans(width).map(([left, right]): Box => [left, top, right, bottom]));
}

function spans(length: number): [number, number][] {
  const count = Math.max(Math.ceil((length - TILE_OVERLAP_PX) / (TILE_PX - TILE_OVERLAP_PX)), 1);
  const size = Math.ceil((length + (count - 1) * TILE_OVERLAP_PX) / count);
  return Array.from({ length: count }, (_, k) => {
    const start = roundHalfToEven((k * (length - size)) / Math.max(count - 1, 1));
    return [start, start + size];
  });
}

export interface NetworkInput extends Size {
  /** Planes of red, green and blue, 0 to 255. */
  readonly planes: Float32Array;
}

/** The picture in a grey frame, on the right and below wider up to multiples of 32. */
export function networkInput(picture: Picture, margin = 0): NetworkInput {
  const whole = (side: number) => Math.ceil((side + 2 * margin) / MULTIPLE) * MULTIPLE;
  const [width, height] = [whole(picture.width), whole(picture.height)];
  const planes = new Float32Array(3 * width * height).fill(FRAME_GREY);
  for (let y = 0, from = 0; y < picture.height; y++)
    for (let x = 0, to = (y + margin) * width + margin; x < picture.width; x++, from += 4, to++)
      for (let c = 0; c < 3; c++) planes[c * width * height + to] = picture.data[from + c]!;
  return { width, height, planes };
}
