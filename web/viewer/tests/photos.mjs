// Photos for pages that take them, and how they get there.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The example's photo, which ships with mlanet. */
export const PHOTO = fileURLToPath(new URL("../../../src/mlanet/data/astronaut.png", import.meta.url));

/** Two people: the example's photo beside its mirror image, made by the browser. */
export const twoPeople = (page) =>
  page.evaluate(async (base64) => {
    const picture = await createImageBitmap(new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]));
    const canvas = new OffscreenCanvas(2 * picture.width, picture.height);
    const context = canvas.getContext("2d");
    context.drawImage(picture, 0, 0);
    context.scale(-1, 1);
    context.drawImage(picture, -2 * picture.width, 0);
    const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg" })).arrayBuffer());
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  }, readFileSync(PHOTO).toString("base64"));

/** Hand a file to the page as a drop or a paste does. */
export const give = (page, kind, base64, name, type) =>
  page.evaluate(
    ({ kind, base64, name, type }) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type }));
      const event = kind === "drop" ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }) : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
      document.body.dispatchEvent(event);
    },
    { kind, base64, name, type },
  );

/** A picture of the page, where SHOTS names a folder for it. */
export const shot = async (page, name) => process.env.SHOTS && page.screenshot({ path: `${process.env.SHOTS}/${name}.png` });
