/** Pictures as the browser reads them: upright sRGB, transparency laid over white. */
import type { Picture } from "./picture";

/** Longer side of what is worked on; larger pictures are reduced first. */
const MOST_PX = 6000;

export class NoPicture extends Error {}

export async function decoded(file: Blob): Promise<Picture> {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new NoPicture("this is no picture that your browser can read");
  });
  return pixelsOf(bitmap);
}

/** The pixels of a bitmap, which is closed. */
export function pixelsOf(bitmap: ImageBitmap): Picture {
  const scale = Math.min(MOST_PX / Math.max(bitmap.width, bitmap.height), 1);
  const [width, height] = [Math.max(Math.round(bitmap.width * scale), 1), Math.max(Math.round(bitmap.height * scale), 1)];
  const pen = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
  pen.imageSmoothingQuality = "high";
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, width, height);
  pen.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return pen.getImageData(0, 0, width, height);
}
