/** Pictures as canvases hold them: four bytes a pixel, of which the fourth is not looked at. */

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

/** Left, top, right, bottom in pixels: the picture's corner is (0, 0). */
export type Box = readonly [left: number, top: number, right: number, bottom: number];

export type Point = readonly [x: number, y: number];

export function blank(width: number, height: number): Picture {
  return { width, height, data: new Uint8ClampedArray(4 * width * height) };
}

/** A part of a picture, in whole pixels inside of it. */
export function part(picture: Picture, [left, top, right, bottom]: Box): Picture {
  const cut = blank(right - left, bottom - top);
  for (let row = 0; row < cut.height; row++) {
    const start = 4 * ((top + row) * picture.width + left);
    cut.data.set(picture.data.subarray(start, start + 4 * cut.width), 4 * row * cut.width);
  }
  return cut;
}

/** The picture turned anticlockwise by quarters, as `numpy.rot90` does. */
export function turned(picture: Picture, quarterTurns: number): Picture {
  const turn = ((quarterTurns % 4) + 4) % 4;
  if (!turn) return picture;
  const { width, height } = picture;
  const result = turn === 2 ? blank(width, height) : blank(height, width);
  const from = new Uint32Array(picture.data.buffer, picture.data.byteOffset, width * height);
  const to = new Uint32Array(result.data.buffer);
  for (let y = 0, at = 0; y < result.height; y++)
    for (let x = 0; x < result.width; x++, at++) {
      const [column, row] =
        turn === 1 ? [width - 1 - y, x] : turn === 2 ? [width - 1 - x, height - 1 - y] : [y, height - 1 - x];
      to[at] = from[row * width + column]!;
    }
  return result;
}

/** The picture in a mirror. */
export function mirrored(picture: Picture): Picture {
  const { width, height } = picture;
  const result = blank(width, height);
  const from = new Uint32Array(picture.data.buffer, picture.data.byteOffset, width * height);
  const to = new Uint32Array(result.data.buffer);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) to[y * width + x] = from[y * width + width - 1 - x]!;
  return result;
}
