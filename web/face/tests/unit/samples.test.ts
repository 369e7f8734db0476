/** Pure parts against what Python makes of the same (assets/browser/samples.py). */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { suppress, type Candidate } from "../../src/detection/candidates";
import { FIRST_PX, finePx, glancePx, lookedAtPx, needsTiles, tiles } from "../../src/detection/looks";
import { eulerDeg, matrixFrom6d, type SixNumbers } from "../../src/geometry/rotation";
import { cropSquare } from "../../src/image/crop";
import { blank, mirrored, turned, type Box, type Picture } from "../../src/image/picture";
import { resized } from "../../src/image/resize";

const samples = JSON.parse(readFileSync(new URL("../fixtures/samples.json", import.meta.url), "utf8"));

function fromRgb(width: number, height: number, values: readonly number[]): Picture {
  const picture = blank(width, height);
  for (let pixel = 0; pixel < width * height; pixel++)
    picture.data.set([values[3 * pixel]!, values[3 * pixel + 1]!, values[3 * pixel + 2]!, 255], 4 * pixel);
  return picture;
}

const toRgb = ({ data }: Picture): number[] => [...data].filter((_, index) => index % 4 < 3);

const picture = fromRgb(16, 19, samples.picture);

describe("pictures", () => {
  for (const { rows, columns, quick, data } of samples.resized)
    test(`of ${rows} x ${columns} pixels${quick ? ", quickly" : ""}`, () => {
      expect(toRgb(resized(picture, rows, columns, quick))).toEqual(data);
    });

  for (const { square, data } of samples.crops)
    test(`cut out and resampled: ${square}`, () => {
      expect(toRgb(cropSquare(picture, square as Box, 8).image)).toEqual(data);
    });

  test("turned four times, and mirrored twice, are the same", () => {
    const round = [1, 1, 1, 1].reduce((seen, turn) => turned(seen, turn), picture);
    expect(toRgb(round)).toEqual(samples.picture);
    expect(toRgb(mirrored(mirrored(picture)))).toEqual(samples.picture);
    expect(toRgb(turned(picture, 1))).not.toEqual(toRgb(turned(picture, 3)));
  });
});

test("looks at pictures of several sizes", () => {
  for (const { height, width, glance, first, fine, tiles: count } of samples.looks) {
    const size = { width, height };
    expect(glancePx(size)).toBe(glance);
    expect(lookedAtPx(size, FIRST_PX)).toBeCloseTo(first, 9);
    if (fine === null) expect(finePx(size)).toBeUndefined();
    else expect(finePx(size)).toBeCloseTo(fine, 9);
    expect(needsTiles(size) ? tiles(size).length : 0).toBe(count);
  }
});

test("rotations and their angles", () => {
  for (const { six, rows, euler_deg } of samples.rotations) {
    const found = matrixFrom6d(six as unknown as SixNumbers);
    found.flat().forEach((value, index) => expect(value).toBeCloseTo(rows.flat()[index], 8));
    eulerDeg(found).forEach((angle, index) => expect(angle).toBeCloseTo(euler_deg[index], 5));
  }
});

test("of overlapping boxes the best one stays", () => {
  const { boxes, scores, kept } = samples.suppressed;
  const points: Candidate["points"] = [[0, 0], [0, 0], [0, 0], [0, 0], [0, 0]];
  const found = boxes.map((box: Box, index: number): Candidate => ({ box, points, score: scores[index] }));
  expect(suppress(found, 0.3).map(({ score }) => score)).toEqual(kept);
});
