// The page of a film in a browser. MLANET_FILM_VIEW names a view.html of mlanet video:
//   mlanet video film.mp4 --out out && MLANET_FILM_VIEW=out/film/view.html npm run test-film
// CHROMIUM names the browser (/usr/bin/chromium).
import assert from "node:assert/strict";
import { resolve } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const PAGE = pathToFileURL(resolve(process.env.MLANET_FILM_VIEW ?? "view.html")).href;
const PATIENCE_MS = 120_000; // WebGL without a GPU, on a busy machine
const [words, requests] = [[], []];
let browser;
let page;

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-background-networking"],
  });
  page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("console", (message) => words.push(message.text()));
  page.on("pageerror", (error) => words.push(String(error)));
  page.on("request", (request) => requests.push(request.url()));
  await page.goto(PAGE);
  await page.waitForSelector("[data-ready]");
  await page.waitForFunction(() => document.getElementById("film").readyState >= 2);
});

after(() => browser?.close());

const weights = () => page.locator("#jawOpen, #eyeBlinkLeft, #mouthSmileLeft").evaluateAll((inputs) => inputs.map((input) => input.value));

test("the slider moves film and head to a time", async () => {
  const before = await weights();
  const time_s = await page.locator("#film-time").evaluate((input) => {
    input.value = `${0.6 * Number(input.max)}`;
    input.dispatchEvent(new Event("input"));
    return Number(input.value);
  });
  await page.waitForFunction((t) => Math.abs(document.getElementById("film").currentTime - t) < 1e-3, time_s);
  await page.waitForFunction((old) => JSON.stringify(old) !== JSON.stringify([...document.querySelectorAll("#jawOpen, #eyeBlinkLeft, #mouthSmileLeft")].map((input) => input.value)), before);
});

test("the button plays and stops", async () => {
  await page.locator("#film-play").click();
  await page.waitForFunction(() => !document.getElementById("film").paused);
  await page.waitForFunction(() => document.getElementById("film-play").getAttribute("aria-label") === "Pause");
  await page.locator("#film-play").click();
  await page.waitForFunction(() => document.getElementById("film").paused);
});

test("it loads the film beside it alone, and says nothing", () => {
  const others = requests.filter((url) => url !== PAGE && !url.startsWith("blob:"));
  assert.deepEqual(new Set(others), new Set([new URL("overlay.mp4", PAGE).href]));
  assert.deepEqual(words, []);
});
