// What three.js' AnimationMixer makes of a GLB file at some times, as JSON.
//   MLANET_NODE_MODULES=FOLDER node mixer.mjs FILE.glb SECONDS ...   (npm i three)
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const modules = resolve(process.env.MLANET_NODE_MODULES);
const three = (path) => import(pathToFileURL(`${modules}/three/${path}`));
const { AnimationMixer, Texture } = await three("build/three.module.js");
globalThis.self = globalThis;
const { GLTFLoader } = await three("examples/jsm/loaders/GLTFLoader.js");

const loader = new GLTFLoader().register(() => ({
  name: "pictures_need_a_browser",
  loadTexture: async () => new Texture(),
}));
const data = new Uint8Array(readFileSync(process.argv[2]));
const { scene, animations } = await loader.parseAsync(data.buffer, "");
const mixer = new AnimationMixer(scene);
const action = mixer.clipAction(animations[0]).play();
const moments = process.argv.slice(3).map((seconds) => {
  action.time = Number(seconds);
  mixer.update(0);
  const weights = {};
  const rotations = {};
  scene.traverse((node) => {
    rotations[node.name] = node.quaternion.toArray();
    if (!node.isMesh) return;
    weights[node.name] = Object.fromEntries(
      Object.entries(node.morphTargetDictionary).map(([name, index]) => [name, node.morphTargetInfluences[index]]),
    );
  });
  return { weights, rotations };
});
console.log(JSON.stringify({ duration_s: animations[0].duration, moments }));
