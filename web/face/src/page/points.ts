/** Landmarks over a picture. */
import type { Point } from "../image/picture";

/** The 68 landmarks' lines (iBUG order): first, last, and whether the line closes. */
const LINES: readonly [from: number, to: number, closed: boolean][] = [
  [0, 16, false],
  [17, 21, false],
  [22, 26, false],
  [27, 30, false],
  [31, 35, false],
  [36, 41, true],
  [42, 47, true],
  [48, 59, true],
  [60, 67, true],
];

/** Draw faces' landmarks, in pixels of a picture of this size; the strong one's in colour. */
export function drawPoints(canvas: HTMLCanvasElement, width: number, height: number, faces: readonly (readonly Point[])[], strong = 0): void {
  const { clientWidth, clientHeight } = canvas;
  const ratio = Math.min(devicePixelRatio, 2);
  [canvas.width, canvas.height] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
  const pen = canvas.getContext("2d")!;
  const scale = canvas.width / width;
  pen.setTransform(scale, 0, 0, canvas.height / height, 0, 0);
  pen.lineJoin = pen.lineCap = "round";
  const accent = getComputedStyle(document.documentElement).getPropertyValue("--points") || "#ffb38a";
  faces.forEach((points, number) => {
    pen.globalAlpha = number === strong ? 1 : 0.45;
    for (const [colour, size] of [["rgb(0 0 0 / 55%)", 3.2], [accent, 1.6]] as const) {
      pen.strokeStyle = colour;
      pen.lineWidth = (size * ratio) / scale;
      for (const [from, to, closed] of LINES) {
        pen.beginPath();
        for (let k = from; k <= to; k++) pen.lineTo(...points[k]!);
        if (closed) pen.closePath();
        pen.stroke();
      }
    }
  });
}
