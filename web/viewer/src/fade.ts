/** Lets the skin end softly below the neck: a head that stops at a cut looks chopped off. */
import { Material, Mesh, Object3D, Vector3 } from "three";

const UP = new Vector3(0, 0.9, 0.44); // across the neck's rim, which is lower in front
const FROM_METRES = 0.01; // from the lowest point: nothing is seen
const TO_METRES = 0.055; // all is seen

export class Fade {
  private readonly made = new Map<Material, Material>();

  private constructor(private readonly lowest: number) {}

  /** Of the skin of a head of mlanet's that reaches below the neck's joint: the face alone has no neck. */
  static below(mesh: Mesh, scene: Object3D): Fade | undefined {
    const neck = scene.getObjectByName("Neck");
    const ours = mesh.name === "Wolf3D_Head" && scene.getObjectByName("Tongue"); // in Ready Player Me's there is none
    if (!neck || !ours) return undefined;
    scene.updateWorldMatrix(true, true);
    const joint = mesh.worldToLocal(neck.getWorldPosition(new Vector3()));
    const positions = mesh.geometry.getAttribute("position");
    const point = new Vector3();
    let lowest = Infinity;
    for (let i = 0; i < positions.count; i++)
      lowest = Math.min(lowest, point.fromBufferAttribute(positions, i).dot(UP));
    return lowest < joint.dot(UP) ? new Fade(lowest) : undefined;
  }

  /** Whether less than half of a point at rest is seen. */
  hides(point: Vector3): boolean {
    return point.dot(UP) - this.lowest < (FROM_METRES + TO_METRES) / 2;
  }

  of(material: Material | Material[]): Material | Material[] {
    if (Array.isArray(material)) return material.map((each) => this.faded(each));
    return this.faded(material);
  }

  private faded(material: Material): Material {
    let faded = this.made.get(material);
    if (faded) return faded;
    faded = material.clone();
    faded.transparent = true;
    const [x, y, z] = UP.toArray().map((each) => each.toFixed(3));
    const ends = [FROM_METRES, TO_METRES].map((each) => (this.lowest + each).toFixed(4));
    faded.onBeforeCompile = (shader) => {
      shader.vertexShader = shader.vertexShader
        .replace("void main() {", "varying float vHeight;\nvoid main() {")
        .replace("#include <begin_vertex>", `#include <begin_vertex>\nvHeight = dot(position, vec3(${x}, ${y}, ${z}));`);
      shader.fragmentShader = shader.fragmentShader
        .replace("void main() {", "varying float vHeight;\nvoid main() {")
        .replace("#include <opaque_fragment>", `#include <opaque_fragment>\ngl_FragColor.a *= smoothstep(${ends}, vHeight);`);
    };
    faded.customProgramCacheKey = () => `faded ${ends}`;
    this.made.set(material, faded);
    return faded;
  }
}
