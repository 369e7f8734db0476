import { readFileSync, readdirSync } from "node:fs";
import { createHash } from "node:crypto";
import { defineConfig } from "vite";

/** The runtime's WebAssembly comes deflated (assets/browser/build.py): its bundle must not name the plain file. */
const withoutPlainRuntime = {
  name: "without-plain-runtime",
  apply: "build",
  enforce: "pre",
  transform: (code, id) =>
    id.includes("onnxruntime-web") ? code.replaceAll(/new URL\("ort-wasm[\w.-]*\.wasm",\s*import\.meta\.url\)/g, '"./"') : undefined,
};

/** A service worker that keeps every file of the page, so that it opens without a network. */
const offline = {
  name: "offline",
  apply: "build",
  generateBundle: {
    order: "post",
    handler(_, bundle) {
      const contents = Object.fromEntries(readdirSync("public").map((name) => [name, readFileSync(`public/${name}`)]));
      for (const [name, { source, code }] of Object.entries(bundle)) contents[name] = source ?? code;
      const hash = createHash("sha256");
      for (const name of Object.keys(contents).sort()) hash.update(name).update(contents[name]);
      const files = Object.keys(contents).filter((name) => name !== "index.html").sort();
      const source = readFileSync("offline.js", "utf8")
        .replace("VERSION", hash.digest("hex").slice(0, 12))
        .replace('"FILES"', JSON.stringify(["./", ...files]));
      this.emitFile({ type: "asset", fileName: "offline.js", source });
    },
  },
};

export default defineConfig({
  base: "./",
  plugins: [withoutPlainRuntime, offline],
  resolve: { dedupe: ["three"] },
  worker: { format: "es", plugins: () => [withoutPlainRuntime] },
  build: { target: "es2022", modulePreload: false, assetsInlineLimit: 0, chunkSizeWarningLimit: 2000, reportCompressedSize: false },
  test: { include: ["tests/unit/**/*.test.ts"] },
});
