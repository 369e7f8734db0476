// The built page in a browser, as a visitor uses it. SHOTS names a folder for pictures of it.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PHOTO, give, shot, twoPeople } from "../../../viewer/tests/photos.mjs";
import { DIST, PATIENCE_MS, launched, served } from "./serving.mjs";

let server, browser;
const words = [];
const requests = [];

before(async () => {
  server = await served(DIST);
  browser = await launched("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream");
});

after(async () => {
  await browser?.close();
  await server?.close();
});

async function opened(options = {}, of = browser) {
  const context = await of.newContext({ reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("console", (message) => words.push(message.text()));
  page.on("pageerror", (error) => words.push(String(error)));
  context.on("request", (request) => requests.push(request.url()));
  await page.goto(server.address);
  return page;
}

/** The example as a camera's picture. */
const asJpeg = (page) =>
  page.evaluate(async (base64) => {
    const picture = await createImageBitmap(new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]));
    const canvas = new OffscreenCanvas(640, 480);
    canvas.getContext("2d").drawImage(picture, 100, 0, 300, 225, 0, 0, 640, 480);
    const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 })).arrayBuffer());
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  }, photo);

const ready = (page) => page.locator("body[data-ready]").waitFor();
const photo = readFileSync(PHOTO).toString("base64");

test("a dropped photo becomes a head that moves and can be seen in every way", async () => {
  const page = await opened({ viewport: { width: 1280, height: 800 }, colorScheme: "light" });
  await shot(page, "start");
  await give(page, "drop", photo, "astronaut.png", "image/png");
  await ready(page);
  assert.match(await page.locator("#told").textContent(), /^yaw −?\d+°, pitch −?\d+°, roll −?\d+°$/);
  const canvas = page.locator("#canvas");
  const still = await canvas.screenshot();
  await shot(page, "head");
  await page.locator("#jawOpen").evaluate((input) => {
    input.value = 1;
    input.dispatchEvent(new Event("input"));
  });
  await page.waitForTimeout(300);
  assert.ok(!still.equals(await canvas.screenshot()), "the slider opens the mouth");
  await shot(page, "jaw");
  for (const [key, mode] of [["3", "clay"], ["4", "wireframe"], ["1", "photo"], ["2", "textured"]]) {
    await page.keyboard.press(key);
    assert.equal(await page.locator("body").getAttribute("data-mode"), mode);
    await page.waitForTimeout(200);
    await shot(page, mode);
  }
  await canvas.focus();
  const before = await canvas.screenshot();
  for (let k = 0; k < 5; k++) await page.keyboard.press("ArrowRight");
  await page.waitForTimeout(300);
  assert.ok(!before.equals(await canvas.screenshot()), "an arrow key turns the head");
  await shot(page, "turned");
  await page.context().close();
});

test("of two faces the other one can be chosen; what is no face or no picture is said in a line", async () => {
  const page = await opened({ viewport: { width: 375, height: 760 }, isMobile: true, hasTouch: true, colorScheme: "dark" });
  await shot(page, "phone-start");
  await give(page, "paste", Buffer.from("<html>no photo</html>").toString("base64"), "photo.png", "image/png");
  const problem = page.getByRole("alert");
  await problem.waitFor();
  assert.equal(await problem.textContent(), "photo.png: this is no picture that your browser can read.");
  const grey = await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(200, 150);
    canvas.getContext("2d").fillRect(0, 0, 200, 150);
    const bytes = new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer());
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  });
  await give(page, "paste", grey, "grey.png", "image/png");
  await page.getByText("grey.png: no face is seen in this picture.").waitFor();
  await shot(page, "phone-problem");
  await give(page, "drop", await twoPeople(page), "two.jpg", "image/jpeg");
  await ready(page);
  assert.equal(await page.locator(".box").count(), 2);
  const second = page.getByRole("button", { name: "Face 2" });
  await second.click();
  await page.getByText("Face 2 of 2").waitFor();
  assert.equal(await second.getAttribute("aria-pressed"), "true");
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 375);
  await page.waitForTimeout(300);
  await shot(page, "phone-head");
  await page.context().close();
});

test("the camera's pictures are looked at, and the camera is let go", async () => {
  const page = await opened({ viewport: { width: 1280, height: 800 }, permissions: ["camera"], colorScheme: "dark" });
  await page.getByRole("button", { name: "Use the camera" }).click();
  await page.getByText("No face is seen.").waitFor(); // the browser's test picture shows nobody
  await shot(page, "camera");
  const stream = await page.locator("#video").evaluateHandle((video) => video.srcObject);
  await page.keyboard.press("Escape");
  assert.equal(await stream.evaluate((each) => each.active), false);
  await page.context().close();
});

test("a person before the camera moves the head", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mlanet-camera-"));
  const film = join(folder, "person.mjpeg");
  const still = await opened();
  writeFileSync(film, Buffer.from(await asJpeg(still), "base64"));
  await still.context().close();
  const other = await launched("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", `--use-file-for-fake-video-capture=${film}`);
  try {
    const page = await opened({ viewport: { width: 1280, height: 800 }, permissions: ["camera"], colorScheme: "dark" }, other);
    await page.getByRole("button", { name: "Use the camera" }).click();
    await ready(page);
    await page.locator("#mouthSmileLeft").waitFor();
    const smiles = () => page.locator("#mouthSmileLeft").evaluate((input) => input.valueAsNumber);
    assert.ok((await smiles()) > 0.3, "she smiles");
    await page.waitForTimeout(1000);
    await shot(page, "camera-head");
  } finally {
    await other.close();
    rmSync(folder, { recursive: true });
  }
});

test("once loaded, the page opens and works without a network", async () => {
  const page = await opened();
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.context().setOffline(true);
  await page.reload();
  await page.getByRole("button", { name: "Try an example" }).click();
  await ready(page);
  await page.context().close();
});

test("nothing was said, and nothing asked for elsewhere", () => {
  assert.deepEqual(words, []);
  assert.deepEqual(requests.filter((url) => !url.startsWith(server.address) && !/^(blob|data):/.test(url)), []);
});
