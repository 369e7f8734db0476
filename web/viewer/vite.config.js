import { readFileSync } from "node:fs";
import { defineConfig } from "vite";
import { viteSingleFile } from "vite-plugin-singlefile";

const licence = readFileSync("node_modules/three/LICENSE", "utf8").trim();
const { version } = JSON.parse(readFileSync("node_modules/three/package.json", "utf8"));

/** The licence of what is bundled goes with every page. */
const licences = {
  name: "licences",
  transformIndexHtml: (html) =>
    html.replace("<head>", `<head>\n<!--\nIncludes three.js ${version}, https://threejs.org\n\n${licence}\n-->`),
};

export default defineConfig({
  plugins: [licences, viteSingleFile({ removeViteModuleLoader: true })],
  build: { target: "es2022", modulePreload: false },
});
