// `mlanet demo` in a browser. MLANET names the command (mlanet), CHROMIUM the browser:
//   MLANET=../../.venv/bin/mlanet npm run test-demo
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { PHOTO, give, shot, twoPeople } from "./photos.mjs";

const PATIENCE_MS = Number(process.env.PATIENCE_MS ?? 120_000); // WebGL without a GPU, on a busy machine

let server;
let browser;
let address;
const words = [];
const requests = [];

before(async () => {
  const [command, ...rest] = (process.env.MLANET ?? "mlanet").split(" ");
  server = spawn(command, [...rest, "demo", "--no-open", "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  [address] = await once(createInterface({ input: server.stdout }), "line");
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-background-networking", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
  });
});

after(async () => {
  await browser?.close();
  server?.kill("SIGINT");
  const [status] = server?.exitCode === null ? await once(server, "exit") : [server?.exitCode];
  assert.equal(status, 0, "Ctrl-C ends the demo");
});

async function opened(options = {}) {
  const context = await browser.newContext({ reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("console", (message) => words.push(message.text()));
  page.on("pageerror", (error) => words.push(String(error)));
  page.on("request", (request) => requests.push(request.url()));
  await page.goto(address);
  return page;
}

const viewer = (page) => page.frameLocator(".stage iframe");

test("a dropped photo of two: a face is chosen, and its head can be turned and moved", async () => {
  const page = await opened({ viewport: { width: 1280, height: 800 }, colorScheme: "light" });
  await shot(page, "start");
  await give(page, "drop", await twoPeople(page), "two <b>people</b>.jpg", "image/jpeg");
  const second = page.getByRole("button", { name: "Face 2" });
  await second.waitFor();
  assert.equal(await page.locator(".box").count(), 2);
  await shot(page, "choose");
  await second.click();
  await viewer(page).locator("body[data-ready] canvas").waitFor();
  assert.equal(await second.getAttribute("aria-pressed"), "true");
  const canvas = viewer(page).locator("canvas");
  const still = await canvas.screenshot();
  await shot(page, "result");
  await viewer(page).locator("#jawOpen").evaluate((input) => {
    input.value = 1;
    input.dispatchEvent(new Event("input"));
  });
  await page.waitForTimeout(300);
  assert.ok(!still.equals(await canvas.screenshot()), "the slider opens the mouth");
  assert.equal(await page.locator("aside button", { hasText: /GLB|JSON|Page/ }).count(), 0, "downloads are in one place");
  for (const [id, ending, start] of [["#download-glb", "glb", "glTF"], ["#download-png", "png", "\x89PNG"], ["#save-json", "json", "{"], ["#save-page", "html", "<!doctype html>"]]) {
    const [download] = await Promise.all([page.waitForEvent("download"), viewer(page).locator(id).click()]);
    assert.ok(download.suggestedFilename().endsWith(`_face_2.${ending}`), download.suggestedFilename());
    assert.equal(readFileSync(await download.path()).toString("latin1", 0, start.length), start);
  }
  await page.getByRole("button", { name: "Another photo" }).click();
  assert.equal(await page.locator("iframe, .box").count(), 0, "nothing of it is left");
  await page.context().close();
});

test("a pasted photo of one needs no choice; what is no photo is refused in words", async () => {
  const page = await opened({ viewport: { width: 375, height: 760 }, isMobile: true, hasTouch: true, colorScheme: "dark" });
  await shot(page, "phone-start");
  await give(page, "paste", Buffer.from("<html>no photo</html>").toString("base64"), "photo.png", "image/png");
  const problem = page.getByRole("alert");
  await problem.waitFor();
  assert.match(await problem.textContent(), /^photo\.png: is a web page/);
  await shot(page, "phone-problem");
  // What a page says of an answer of status 422, whose words the visitor has read.
  assert.match(words.splice(0).join("\n"), /^Failed to load resource.*422[^\n]*$/);
  await give(page, "paste", readFileSync(PHOTO).toString("base64"), "astronaut.png", "image/png");
  await viewer(page).locator("body[data-ready] canvas").waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 375);
  await shot(page, "phone-result");
  await page.context().close();
});

test("the camera's picture is sent, and the camera is let go", async () => {
  const page = await opened({ permissions: ["camera"] });
  await page.getByRole("button", { name: "Take one" }).click();
  const shutter = page.getByRole("button", { name: "Take the photo" });
  await page.locator("#shutter:enabled").waitFor();
  await shot(page, "camera");
  const stream = await page.locator("#video").evaluateHandle((video) => video.srcObject);
  await shutter.click();
  await page.getByRole("alert").waitFor(); // the browser's test picture shows nobody
  assert.match(await page.getByRole("alert").textContent(), /^camera\.jpg: no face found/);
  assert.equal(await stream.evaluate((each) => each.active), false);
  assert.match(words.splice(0).join("\n"), /^Failed to load resource.*422[^\n]*$/);
  await page.context().close();
});

test("nothing was said, and nothing asked for elsewhere", () => {
  assert.deepEqual(words, []);
  assert.deepEqual(requests.filter((url) => !url.startsWith(address) && !/^(blob|data):/.test(url)), []);
});
