// The built page's worker in a browser against Python's answers, on the pictures of
// tests/fixtures/pictures and of the folder that PHOTOS names. Both hold an answers.json:
//   python ../../assets/browser/answers.py FOLDER && PHOTOS=FOLDER npm run test-page
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { DIST, launched, served } from "./serving.mjs";

const FIXTURES = fileURLToPath(new URL("../fixtures/pictures", import.meta.url));
const MOST_PX = 0.5;

let browser, page, server;

before(async () => {
  server = await served();
  browser = await launched();
  page = await browser.newPage();
  await page.goto(server.address);
  const worker = readdirSync(join(DIST, "assets")).find((name) => /^worker-.*\.js$/.test(name));
  await page.evaluate(async (address) => {
    const worker = new Worker(address, { type: "module" });
    let number = 0;
    window.ask = (service, given) =>
      new Promise((resolve, reject) => {
        const own = number++;
        worker.addEventListener("message", function heard({ data }) {
          if (data.kind === "progress" || data.number !== own) return;
          worker.removeEventListener("message", heard);
          if (data.kind === "answer") resolve(data.answer);
          else reject(new Error(data.words));
        });
        worker.postMessage({ number: own, service, given });
      });
    await window.ask("open");
  }, `assets/${worker}`);
});

after(async () => {
  await browser?.close();
  await server?.close();
});

const facesOf = (file) =>
  page.evaluate(
    async ({ base64 }) => {
      const photo = new Blob([Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))]);
      const started = performance.now();
      const { faces } = await window.ask("faces", photo);
      return { faces, taken_ms: performance.now() - started };
    },
    { base64: readFileSync(file).toString("base64") },
  );

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

for (const folder of [FIXTURES, process.env.PHOTOS].filter(Boolean))
  test(`landmarks are those of Python: ${folder}`, async () => {
    const answers = JSON.parse(readFileSync(join(folder, "answers.json"), "utf8"));
    const [largest, times] = [[], []];
    for (const [name, expected] of Object.entries(answers)) {
      const { faces, taken_ms } = await facesOf(join(folder, name));
      assert.equal(faces.length, expected.length, `${name}: number of faces`);
      times.push(taken_ms);
      faces.forEach(({ landmarks_px }, k) => {
        const away = landmarks_px.map(([x, y], i) => Math.hypot(x - expected[k].landmarks_px[i][0], y - expected[k].landmarks_px[i][1]));
        largest.push({ name, away: Math.max(...away), median: median(away) });
      });
    }
    largest.sort((a, b) => b.away - a.away);
    console.log(
      `${Object.keys(answers).length} pictures, ${largest.length} faces: landmarks off by ${largest[0].away.toFixed(3)} px at most (${largest[0].name}), ` +
        `${median(largest.map(({ median }) => median)).toFixed(4)} px in the median; ${median(times).toFixed(0)} ms a picture`,
    );
    if (process.env.LIST) console.table(largest.slice(0, 12));
    assert.ok(largest[0].away <= MOST_PX, `${largest[0].name}: ${largest[0].away} px`);
  });
