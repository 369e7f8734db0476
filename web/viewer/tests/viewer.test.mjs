// The built page in a browser. MLANET_VIEW names a view.html of the example photo:
//   mlanet reconstruct --example --out out && MLANET_VIEW=out/astronaut/view.html npm test
// CHROMIUM names the browser (/usr/bin/chromium). UPDATE=1 writes the golden picture anew.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import pixelmatch from "pixelmatch";
import { chromium } from "playwright-core";
import { PNG } from "pngjs";

const PAGE = pathToFileURL(resolve(process.env.MLANET_VIEW ?? "view.html")).href;
const GOLDEN = new URL("golden.png", import.meta.url);
const SIZE = { width: 800, height: 480 };
const PATIENCE_MS = Number(process.env.PATIENCE_MS ?? 120_000); // WebGL without a GPU, on a busy machine

let browser;
let page;
const words = [];
const requests = [];

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-background-networking"],
  });
  page = await opened({ viewport: SIZE });
});

after(() => browser?.close());

async function opened(options, address = PAGE) {
  const context = await browser.newContext({ reducedMotion: "reduce", colorScheme: "light", ...options });
  const made = await context.newPage();
  made.setDefaultTimeout(PATIENCE_MS);
  made.on("console", (message) => words.push(message.text()));
  made.on("pageerror", (error) => words.push(String(error)));
  made.on("request", (request) => requests.push(request.url()));
  await made.goto(address);
  await made.waitForSelector("[data-ready]");
  return made;
}

/** What the canvas shows, over white, once a frame has been drawn. */
async function picture(of = page) {
  await of.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  await of.addStyleTag({ content: ".stage { background: #fff !important } .tools, .modes, .wipe { visibility: hidden !important } canvas { outline: none !important }" });
  return PNG.sync.read(await of.locator(".picture").screenshot());
}

/** Box around the pixels that hold, but for a share of them at each end: left, top, right, bottom. */
function boxOf(image, holds, left_out = 0) {
  const [xs, ys] = [[], []];
  for (let y = 0; y < image.height; y++)
    for (let x = 0; x < image.width; x++)
      if (holds(4 * (y * image.width + x))) {
        xs.push(x);
        ys.push(y);
      }
  xs.sort((a, b) => a - b);
  const first = Math.floor(left_out * xs.length);
  const last = xs.length - 1 - first;
  return { left: xs[first], right: xs[last], top: ys[first], bottom: ys[last], count: xs.length };
}

const differs = (a, b) => (i) => [0, 1, 2].some((k) => Math.abs(a.data[i + k] - b.data[i + k]) > 6);
const drawn = (image) => (i) => image.data[i] + image.data[i + 1] + image.data[i + 2] < 740;
const slide = (name, value, of = page) =>
  of.locator(`[id="${name}"]`).evaluate((input, v) => {
    input.value = v;
    input.dispatchEvent(new Event("input"));
  }, value);
const show = (mode, of = page) => of.locator(`#modes [value=${mode}]`).evaluate((input) => input.click());
const reset = () => page.locator("#reset-view").evaluate((button) => button.click());

test("the head is drawn in the middle, and looks as it did", async () => {
  await show("clay");
  const now = await picture();
  const box = boxOf(now, drawn(now));
  assert.ok(box.bottom - box.top > 0.7 * now.height, "it fills the height");
  assert.ok(box.top > 0 && box.bottom < now.height - 1, "it is whole");
  assert.ok(Math.abs((box.left + box.right) / 2 - now.width / 2) < 0.05 * now.width, "it is in the middle");
  if (process.env.UPDATE) writeFileSync(GOLDEN, PNG.sync.write(now));
  assert.ok(existsSync(GOLDEN), "UPDATE=1 writes the golden picture");
  const golden = PNG.sync.read(readFileSync(GOLDEN));
  assert.deepEqual([now.width, now.height], [golden.width, golden.height]);
  const changed = pixelmatch(now.data, golden.data, undefined, now.width, now.height, { threshold: 0.1 });
  assert.ok(changed < 0.01 * now.width * now.height, `${changed} pixels differ`);
});

test("every mode shows another picture", async () => {
  const seen = [];
  for (const mode of ["textured", "clay", "wireframe", "uv", "photo"]) {
    await show(mode);
    seen.push(await picture());
  }
  for (let k = 1; k < seen.length - 1; k++)
    assert.ok(boxOf(seen[0], differs(seen[k - 1], seen[k])).count > 10_000, `mode ${k}`);
  await show("textured");
});

test("a drag turns the head", async () => {
  const still = await picture();
  const { x, y, width, height } = await page.locator("#canvas").boundingBox();
  await page.mouse.move(x + width / 2, y + height / 2);
  await page.mouse.down();
  await page.mouse.move(x + width / 2 + 120, y + height / 2, { steps: 4 });
  await page.mouse.up();
  const turned = await picture();
  assert.ok(boxOf(still, differs(still, turned)).count > 10_000);
  await reset();
  assert.equal(boxOf(still, differs(still, await picture())).count, 0, "and reset turns it back");
});

test("keys turn the head and zoom", async () => {
  const still = await picture();
  await page.locator("#canvas").focus();
  await page.keyboard.press("ArrowLeft");
  assert.ok(boxOf(still, differs(still, await picture())).count > 5_000);
  await page.keyboard.press("0");
  await page.keyboard.press("-");
  const small = await picture();
  const [before, now] = [boxOf(still, drawn(still)), boxOf(small, drawn(small))];
  assert.ok(now.bottom - now.top < 0.97 * (before.bottom - before.top));
  await page.keyboard.press("0");
});

test("eyeBlinkLeft moves the subject's left eye only", async () => {
  await show("textured");
  await page.locator("#neutral").click();
  const open = await picture();
  const head = boxOf(open, drawn(open));
  const moved = {};
  for (const side of ["Left", "Right"]) {
    await slide(`eyeBlink${side}`, 1);
    // The rest of the head moves by less than 0.1 mm: some pixels of its outline.
    moved[side] = boxOf(open, differs(open, await picture()), 0.01);
    await slide(`eyeBlink${side}`, 0);
  }
  const told = JSON.stringify({ moved, head });
  for (const { left, top, right, bottom, count } of Object.values(moved)) {
    assert.ok(count > 200, told);
    assert.ok(right - left < 0.3 * (head.right - head.left), told);
    assert.ok(top > head.top + 0.2 * (head.bottom - head.top) && bottom < head.top + 0.5 * (head.bottom - head.top), told);
  }
  assert.ok(moved.Left.left > moved.Right.right, told);
  await page.locator("#as-photo").click();
});

test("eyeballs follow eyeLook", async () => {
  await page.locator("#neutral").click();
  const ahead = await picture();
  await slide("eyeLookOutLeft", 1);
  assert.ok(boxOf(ahead, differs(ahead, await picture())).count > 60);
  await page.locator("#as-photo").click();
});

test("both sides can be moved together, and expressions are found by name", async () => {
  await page.locator("#both").check();
  await slide("mouthSmileLeft", 0.5);
  assert.equal(await page.locator("#mouthSmileRight").inputValue(), "0.5");
  await page.locator("#both").uncheck();
  await page.locator("[type=search]").fill("smile");
  assert.equal(await page.locator(".slider:visible").count(), 2);
  await page.locator("[type=search]").fill("");
  await page.locator("#as-photo").click();
});

test("buttons make whole faces", async () => {
  const faces = page.locator(".presets button");
  assert.ok((await faces.count()) >= 5);
  await page.locator("[data-face=Wink]").click();
  assert.equal(await page.locator("#eyeBlinkLeft").inputValue(), "1");
  assert.equal(await page.locator("#eyeBlinkRight").inputValue(), "0");
  await page.locator("#as-photo").click();
});

test("a head that nobody touches lives, and rests when it is touched", async () => {
  const still = await picture();
  await page.waitForTimeout(3500);
  assert.equal(boxOf(still, differs(still, await picture())).count, 0, "not where motion is not wanted");
  const living = await opened({ viewport: SIZE, reducedMotion: "no-preference" });
  const seen = () => living.evaluate(() => {
    const canvas = document.getElementById("canvas");
    return new Promise((done) => requestAnimationFrame(() => done(canvas.toDataURL())));
  });
  const weight = await living.locator("#eyeBlinkLeft").inputValue();
  const first = await seen();
  await living.waitForFunction((first) => document.getElementById("canvas").toDataURL() !== first, first, { polling: "raf" });
  assert.equal(await living.locator("#eyeBlinkLeft").inputValue(), weight, "sliders stay");
  await living.context().close();
});

test("identity modes change the head's shape, and give it back", async () => {
  const own = await picture();
  await slide("shape-0", 2);
  assert.ok(boxOf(own, differs(own, await picture())).count > 5_000);
  await slide("shape-0", 0);
  assert.equal(boxOf(own, differs(own, await picture())).count, 0);
});

test("detail can be switched off, where the head has it", async () => {
  const detail = page.locator("#detail");
  if (!(await detail.count())) return;
  await show("clay");
  const detailed = await picture();
  await detail.evaluate((input) => input.click());
  assert.ok(boxOf(detailed, differs(detailed, await picture())).count > 100);
  await detail.evaluate((input) => input.click());
  assert.equal(boxOf(detailed, differs(detailed, await picture())).count, 0);
  await show("textured");
});

test("the demonstration plays and gives the expression back", async () => {
  const weight = await page.locator("#mouthSmileLeft").inputValue();
  await page.locator("#play").click();
  await page.waitForFunction(() => document.querySelector(".status").textContent.includes(" of 52"));
  await page.locator("#play").click();
  assert.equal(await page.locator("#mouthSmileLeft").inputValue(), weight);
});

test("the GLB file is downloaded whole", async () => {
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#download-glb").click()]);
  assert.equal(download.suggestedFilename(), "face_00.glb");
  const content = readFileSync(await download.path());
  assert.equal(content.toString("latin1", 0, 4), "glTF");
  assert.equal(content.readUInt32LE(8), content.length);
  const beside = resolve(process.env.MLANET_VIEW ?? "view.html", "../face_00.glb");
  if (existsSync(beside)) assert.ok(content.equals(readFileSync(beside)));
});

test("on a phone all is in reach, and a finger turns the head", async () => {
  const phone = await opened({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, colorScheme: "dark" });
  assert.equal(await phone.evaluate(() => document.documentElement.scrollWidth), 360);
  for (const id of ["modes", "download-glb", "theme", "tab-0"]) {
    const { x, y, width, height } = await phone.locator(`#${id}`).boundingBox();
    assert.ok(x >= 0 && y >= 0 && x + width <= 360 && y + height <= 740, id);
  }
  const still = await picture(phone);
  const session = await phone.context().newCDPSession(phone);
  const touch = (type, x) => session.send("Input.dispatchTouchEvent", { type, touchPoints: type === "touchEnd" ? [] : [{ x, y: 180 }] });
  await touch("touchStart", 180);
  for (const x of [200, 220, 240]) await touch("touchMove", x);
  await touch("touchEnd");
  assert.ok(boxOf(still, differs(still, await picture(phone))).count > 3_000);
  await phone.context().close();
});

test("a notebook shows it in a frame of its own", async () => {
  const context = await browser.newContext({ viewport: SIZE, reducedMotion: "reduce" });
  const notebook = await context.newPage();
  notebook.on("console", (message) => words.push(message.text()));
  await notebook.evaluate((content) => {
    const frame = document.createElement("iframe");
    frame.setAttribute("sandbox", "allow-scripts allow-downloads"); // as mlanet.viewing.as_frame
    frame.srcdoc = content;
    document.body.append(frame);
  }, readFileSync(new URL(PAGE), "utf8"));
  await notebook.frameLocator("iframe").locator("body[data-ready] canvas").waitFor({ timeout: PATIENCE_MS });
  await context.close();
});

test("nothing was said and nothing asked for", () => {
  assert.deepEqual(words, []);
  assert.deepEqual(requests.filter((url) => url !== PAGE && !/^(blob|data):/.test(url)), []);
});
