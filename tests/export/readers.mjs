// What Khronos' validator and three.js' loader find in a GLB file, as JSON.
//   MLANET_NODE_MODULES=FOLDER node readers.mjs FILE.glb   (npm i gltf-validator three)
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const modules = resolve(process.env.MLANET_NODE_MODULES);
const validator = createRequire(import.meta.url)(`${modules}/gltf-validator`);
const { Texture, Vector3 } = await import(
  pathToFileURL(`${modules}/three/build/three.module.js`)
);
globalThis.self = globalThis;
const source = `${modules}/three/examples/jsm/loaders/GLTFLoader.js`;
const { GLTFLoader } = await import(pathToFileURL(source));

const data = new Uint8Array(readFileSync(process.argv[2]));
const { issues } = await validator.validateBytes(data, { maxIssues: 0 });
const loader = new GLTFLoader().register(() => ({
  name: "pictures_need_a_browser",
  loadTexture: async () => new Texture(),
}));
const { scene } = await loader.parseAsync(data.buffer, "");
scene.updateMatrixWorld(true);
const point = new Vector3();
const meshes = {};
scene.traverse((node) => {
  if (!node.isMesh) return;
  const count = node.geometry.attributes.position.count;
  // Farthest that each target alone moves a vertex, and the middle of the mesh as it is shown.
  const shown = [...(node.morphTargetInfluences ?? [])]; // hair has none
  const at = (weights) => {
    node.morphTargetInfluences?.splice(0, weights.length, ...weights);
    return Array.from({ length: count }, (_, i) => node.getVertexPosition(i, point).clone());
  };
  const rest = at(shown.map(() => 0));
  const reach = {};
  for (const [name, index] of Object.entries(node.morphTargetDictionary ?? {})) {
    const moved = at(shown.map((_, i) => Number(i === index)));
    reach[name] = Math.max(...moved.map((p, i) => p.distanceTo(rest[i])));
  }
  const middle = at(shown)
    .reduce((sum, p) => sum.add(p), new Vector3())
    .divideScalar(count)
    .applyMatrix4(node.matrixWorld);
  meshes[node.name] = {
    weights: shown,
    reach,
    middle: middle.toArray(),
    parent: node.parent.name,
    roughness: node.material.roughness,
    normals: node.geometry.morphAttributes.normal?.length,
  };
});
console.log(JSON.stringify({ issues, meshes }));
