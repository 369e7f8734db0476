/** A head that moves its face, in several materials. */
import {
  AnimationAction,
  AnimationClip,
  AnimationMixer,
  Box3,
  BufferAttribute,
  BufferGeometry,
  CanvasTexture,
  Color,
  DoubleSide,
  Group,
  Material,
  Mesh,
  MeshBasicMaterial,
  MeshStandardMaterial,
  Object3D,
  SRGBColorSpace,
  Texture,
  Vector3,
} from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { Fade } from "./fade";

export type Mode = "photo" | "textured" | "clay" | "wireframe" | "uv";

const BLINKS = ["eyeBlinkLeft", "eyeBlinkRight"];
const SHAPE_METRES = 1e-5; // one unit of the page's identity modes

interface Part {
  mesh: Mesh;
  lines: Mesh;
  textured: Material | Material[];
  unlit: Material | Material[];
  /** Textured and clay without the file's normal map, which it may lack. */
  smooth: { textured: Material | Material[]; clay: Material };
  clay: Material;
  /** Of the skin's end below the neck. */
  fade: Fade | undefined;
  rest?: Rest;
}

/** A mesh before identity modes move it. */
interface Rest {
  modes: Int16Array;
  positions: Float32Array;
  normals: Float32Array;
  computed: Float32Array;
  /** Vertices at one place share a number: seams of the texture must not show. */
  place: Uint32Array;
}

export class Head {
  readonly root = new Group();
  readonly names: string[];
  readonly initial: Record<string, number> = {};
  readonly weights: Record<string, number> = {};
  readonly triangles: number;
  /** When the file's tracks end; 0 without any. */
  readonly duration_s: number;
  /** Whether the file has a normal map of its detail. */
  readonly hasDetail: boolean;
  detailed = true;
  private readonly parts: Part[] = [];
  private readonly mixer: AnimationMixer;
  private readonly action: AnimationAction | undefined;

  constructor(scene: Object3D, clips: AnimationClip[]) {
    this.root.add(scene);
    this.mixer = new AnimationMixer(scene);
    this.duration_s = clips[0]?.duration ?? 0;
    if (clips[0]) this.action = this.mixer.clipAction(atItsPlace(clips[0], scene)).play();
    const meshes: Mesh[] = [];
    scene.traverse((node) => {
      if (node instanceof Mesh) meshes.push(node);
    });
    for (const mesh of meshes) this.parts.push(partOf(mesh, Fade.below(mesh, scene)));
    this.hasDetail = this.parts.some(({ clay }) => clay !== CLAY);
    const names = new Set<string>();
    for (const { mesh } of this.parts)
      for (const [name, index] of Object.entries(mesh.morphTargetDictionary ?? {})) {
        names.add(name);
        this.initial[name] = mesh.morphTargetInfluences![index]!;
      }
    this.names = [...names];
    Object.assign(this.weights, this.initial);
    this.triangles = this.parts.reduce((sum, { mesh }) => sum + cornersOf(mesh.geometry) / 3, 0);
  }

  static async of(glb: ArrayBuffer): Promise<Head> {
    const { scene, animations } = await new GLTFLoader().parseAsync(glb, "");
    return new Head(scene, animations);
  }

  /** Do what the file's tracks say of a time; the last key holds for all that is later. */
  moveTo(time_s: number): void {
    if (!this.action) return;
    this.action.time = Math.min(Math.max(time_s, 0), this.duration_s);
    this.mixer.update(0);
    for (const { mesh } of this.parts)
      if (this.moves(mesh))
        for (const [name, index] of Object.entries(mesh.morphTargetDictionary ?? {}))
          this.weights[name] = mesh.morphTargetInfluences![index]!;
  }

  /** Of a file with tracks, weights move the meshes that have one: eyeballs turn by their joints. */
  private moves(mesh: Mesh): boolean {
    return !this.action || this.action.getClip().tracks.some(({ name }) => name === `${mesh.name}.morphTargetInfluences`);
  }

  /** Box around what is seen of the head at rest, where the file has it. */
  box(): Box3 {
    const box = new Box3();
    this.root.updateWorldMatrix(true, true);
    const point = new Vector3();
    for (const { mesh, fade } of this.parts) {
      const positions = mesh.geometry.getAttribute("position");
      for (let i = 0; i < positions.count; i++) {
        point.fromBufferAttribute(positions, i);
        if (fade?.hides(point)) continue;
        box.expandByPoint(point.applyMatrix4(mesh.matrixWorld));
      }
    }
    return box;
  }

  set(name: string, weight: number): void {
    this.weights[name] = weight;
    for (const { mesh } of this.parts) {
      const index = this.moves(mesh) ? mesh.morphTargetDictionary?.[name] : undefined;
      if (index !== undefined) mesh.morphTargetInfluences![index] = weight;
    }
  }

  /** Close the eyes for a moment, and leave the weights as they are. */
  blink(closed: number): void {
    for (const { mesh } of this.parts)
      for (const name of BLINKS) {
        const index = mesh.morphTargetDictionary?.[name];
        if (index !== undefined) mesh.morphTargetInfluences![index] = Math.max(this.weights[name]!, closed);
      }
  }

  show(mode: Mode, ink: Color, paper: Color): void {
    LINES.color.copy(ink);
    CLAY_BEHIND.color.copy(paper);
    for (const part of this.parts) {
      const { mesh, lines, unlit, fade } = part;
      mesh.visible = mesh.name !== "Eyelashes" || mode === "textured" || mode === "photo"; // they have no texture
      const { textured, clay } = this.detailed ? part : part.smooth;
      lines.visible = mode === "wireframe";
      const materials = { textured, photo: unlit, clay, wireframe: CLAY_BEHIND, uv: checkered() };
      mesh.material = materials[mode];
      if (fade && mode !== "wireframe") mesh.material = fade.of(mesh.material);
    }
  }

  /** Give the meshes their identity modes. */
  addShape(modesOf: (mesh: string) => Int16Array | undefined): number {
    let count = 0;
    for (const part of this.parts) {
      const { geometry } = part.mesh;
      const modes = modesOf(part.mesh.name);
      if (!modes) continue;
      const positions = new Float32Array(geometry.getAttribute("position").array);
      const normals = new Float32Array(geometry.getAttribute("normal").array);
      const place = places(positions);
      const computed = normalsOf(positions, geometry.index!.array, place);
      part.rest = { modes, positions, normals, computed, place };
      count = modes.length / positions.length;
    }
    return count;
  }

  /** Move the person by identity modes, in standard deviations. */
  shape(coefficients: number[]): void {
    for (const { mesh, rest } of this.parts) {
      if (!rest) continue;
      const size = rest.positions.length;
      const moved = rest.positions.slice();
      coefficients.forEach((value, mode) => {
        if (value)
          for (let i = 0; i < size; i++)
            moved[i]! += value * SHAPE_METRES * rest.modes[mode * size + i]!;
      });
      const turned = normalsOf(moved, mesh.geometry.index!.array, rest.place);
      for (let i = 0; i < size; i++) turned[i]! += rest.normals[i]! - rest.computed[i]!;
      mesh.geometry.setAttribute("position", new BufferAttribute(moved, 3));
      mesh.geometry.setAttribute("normal", new BufferAttribute(turned, 3));
      mesh.geometry.normalizeNormals();
    }
  }

  dispose(): void {
    for (const { mesh } of this.parts) mesh.geometry.dispose();
  }
}

/** A clip without what moves the whole head from its place. */
function atItsPlace(clip: AnimationClip, scene: Object3D): AnimationClip {
  const root = scene.children[0]?.name ?? "";
  return new AnimationClip(clip.name, clip.duration, clip.tracks.filter(({ name }) => name !== `${root}.position`));
}

const CLAY = new MeshStandardMaterial({ color: 0xbdb4ab, roughness: 0.62, side: DoubleSide });
const CLAY_BEHIND = new MeshStandardMaterial({
  roughness: 0.9,
  side: DoubleSide,
  polygonOffset: true,
  polygonOffsetFactor: 1,
  polygonOffsetUnits: 1,
});
const LINES = new MeshBasicMaterial({ wireframe: true, transparent: true, opacity: 0.6 });

function partOf(mesh: Mesh, fade: Fade | undefined): Part {
  mesh.frustumCulled = false; // expressions and modes move it
  const lines = new Mesh(mesh.geometry, LINES);
  lines.morphTargetInfluences = mesh.morphTargetInfluences;
  lines.morphTargetDictionary = mesh.morphTargetDictionary;
  lines.frustumCulled = false;
  lines.visible = false;
  mesh.add(lines);
  const unlit = ([] as Material[]).concat(mesh.material).map((material) => {
    const { map, color, side, alphaTest } = material as MeshStandardMaterial;
    return new MeshBasicMaterial({ map: map ?? null, color, side, alphaTest, toneMapped: false });
  });
  const textured = mesh.material;
  const cut = Array.isArray(textured) ? CLAY : clayOf(textured);
  const part = { mesh, lines, textured, unlit: unlit.length > 1 ? unlit : unlit[0]!, clay: cut, fade };
  const smooth = { textured, clay: cut };
  if (Array.isArray(textured) || !(textured instanceof MeshStandardMaterial) || !textured.normalMap) return { ...part, smooth };
  const clay = CLAY.clone();
  clay.normalMap = textured.normalMap;
  clay.normalScale.copy(textured.normalScale);
  const plain = textured.clone();
  plain.normalMap = null;
  return { ...part, clay, smooth: { textured: plain, clay: CLAY } };
}

/** Clay, cut out where the material's texture is transparent. */
function clayOf(material: Material): MeshStandardMaterial {
  if (!(material instanceof MeshStandardMaterial) || !material.map || !material.alphaTest) return CLAY;
  const image = material.map.image as CanvasImageSource & { width: number; height: number };
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  const pen = canvas.getContext("2d")!;
  pen.drawImage(image, 0, 0);
  const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < data.length; i += 4) {
    data[i + 1] = data[i + 3]!; // what three.js reads as opacity is green
    data[i + 3] = 255;
  }
  pen.putImageData(new ImageData(data, canvas.width), 0, 0);
  const clay = CLAY.clone();
  clay.alphaMap = new CanvasTexture(canvas);
  clay.alphaMap.flipY = material.map.flipY;
  clay.alphaTest = material.alphaTest;
  return clay;
}

function cornersOf(geometry: BufferGeometry): number {
  return geometry.index?.count ?? geometry.getAttribute("position").count;
}

let checker: MeshStandardMaterial | undefined;

/** Squares of 1/32 of the texture, coloured by where they are. */
function checkered(): MeshStandardMaterial {
  if (checker) return checker;
  const side = 1024;
  const squares = 32;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const pen = canvas.getContext("2d")!;
  const step = side / squares;
  for (let row = 0; row < squares; row++)
    for (let column = 0; column < squares; column++) {
      const light = (row + column) % 2 ? 82 : 62;
      pen.fillStyle = `hsl(${(300 * column) / squares}deg ${35 + (35 * row) / squares}% ${light}%)`;
      pen.fillRect(column * step, row * step, step, step);
    }
  const map: Texture = new CanvasTexture(canvas);
  map.colorSpace = SRGBColorSpace;
  map.flipY = false;
  map.anisotropy = 8;
  checker = new MeshStandardMaterial({ map, roughness: 0.8, side: DoubleSide });
  return checker;
}

function places(positions: Float32Array): Uint32Array {
  const numbers = new Map<string, number>();
  return Uint32Array.from({ length: positions.length / 3 }, (_, i) => {
    const key = `${positions[3 * i]} ${positions[3 * i + 1]} ${positions[3 * i + 2]}`;
    if (!numbers.has(key)) numbers.set(key, numbers.size);
    return numbers.get(key)!;
  });
}

/** Unit normals, weighted by area. */
function normalsOf(
  positions: Float32Array,
  corners: ArrayLike<number>,
  place: Uint32Array,
): Float32Array {
  const sums = new Float32Array(positions.length);
  const [a, b, c] = [new Vector3(), new Vector3(), new Vector3()];
  for (let i = 0; i < corners.length; i += 3) {
    a.fromArray(positions, 3 * corners[i]!);
    b.fromArray(positions, 3 * corners[i + 1]!).sub(a);
    c.fromArray(positions, 3 * corners[i + 2]!).sub(a);
    b.cross(c);
    for (let k = 0; k < 3; k++) {
      const at = 3 * place[corners[i + k]!]!;
      sums[at]! += b.x;
      sums[at + 1]! += b.y;
      sums[at + 2]! += b.z;
    }
  }
  const normals = new Float32Array(positions.length);
  for (let i = 0; i < place.length; i++)
    a.fromArray(sums, 3 * place[i]!).normalize().toArray(normals, 3 * i);
  return normals;
}
