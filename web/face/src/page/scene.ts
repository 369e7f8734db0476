/** Three.js' form of a head, named as mlanet's GLB files name its meshes. */
import { BufferAttribute, BufferGeometry, DataTexture, DoubleSide, FrontSide, Group, LinearMipmapLinearFilter, Mesh, MeshStandardMaterial, Object3D, SRGBColorSpace, LinearFilter } from "three";
import type { RigMesh } from "../head/rig";
import type { Picture } from "../image/picture";
import type { MadeHead } from "../background/protocol";

/** Weights by the expression's name. */
export type Weights = Readonly<Record<string, number>>;

export function sceneOf(rig: readonly RigMesh[], { person, texture }: MadeHead, weights: Weights): Object3D {
  const scene = new Group();
  const neck = new Object3D();
  neck.name = "Neck";
  neck.position.set(...person.neck);
  scene.add(neck);
  const map = mapOf(texture);
  rig.forEach((own, number) => {
    const { positions, normals } = person.meshes[number]!;
    const geometry = new BufferGeometry();
    geometry.setIndex(new BufferAttribute(own.triangles, 1));
    geometry.setAttribute("position", new BufferAttribute(positions, 3));
    geometry.setAttribute("normal", new BufferAttribute(normals, 3));
    geometry.setAttribute("uv", new BufferAttribute(own.uv, 2));
    geometry.morphTargetsRelative = true;
    geometry.morphAttributes.position = own.targets.map((target) => named(target.positions, target.name));
    geometry.morphAttributes.normal = own.targets.map((target) => named(target.normals, target.name));
    if (!own.targets.length) geometry.morphAttributes = {};
    const material = new MeshStandardMaterial({ map, roughness: own.roughness, side: own.two_sided ? DoubleSide : FrontSide });
    const mesh = new Mesh(geometry, material);
    mesh.name = own.name;
    own.targets.forEach(({ name }, k) => (mesh.morphTargetInfluences![k] = weights[name] ?? 0));
    scene.add(mesh);
  });
  return scene;
}

function named(values: Float32Array, name: string): BufferAttribute {
  const attribute = new BufferAttribute(values, 3);
  attribute.name = name;
  return attribute;
}

function mapOf({ data, width, height }: Picture): DataTexture {
  const map = new DataTexture(data, width, height);
  map.colorSpace = SRGBColorSpace;
  map.minFilter = LinearMipmapLinearFilter;
  map.magFilter = LinearFilter;
  map.generateMipmaps = true;
  map.anisotropy = 8;
  map.needsUpdate = true;
  return map;
}
