/** Which vertices of a head the photo shows, and how well. */
import { fillTriangle, vertexNormals, type Neighbours } from "../geometry/mesh";
import { inCamera, project, type Camera, type Pose } from "../geometry/camera";

const GRID = 320; // pixels across the depths that hide each other
const NEARER_MM = 6; // what lies behind by more is hidden
const EDGE_ON = 0.18; // cosine of the angle to the viewer below which nothing is taken
const FACING = 0.5; // and above which all is

export interface SeenVertices {
  /** In the camera's frame, mm. */
  readonly camera_mm: Float32Array;
  /** In the photo, two numbers each. */
  readonly pixels: Float32Array;
  /** 0: hidden or seen from the side, 1: well seen. */
  readonly weight: Float32Array;
}

export function seenVertices(vertices: Float32Array, triangles: ArrayLike<number>, neighbours: Neighbours, pose: Pose, camera: Camera): SeenVertices {
  const camera_mm = inCamera(pose, vertices);
  const normals = vertexNormals(camera_mm, triangles);
  const count = vertices.length / 3;
  const pixels = new Float32Array(2 * count);
  for (let v = 0; v < count; v++) pixels.set(project(camera, camera_mm[3 * v]!, camera_mm[3 * v + 1]!, camera_mm[3 * v + 2]!), 2 * v);
  const { depths, place } = depthMap(camera_mm, pixels, triangles);
  const weight = new Float32Array(count);
  for (let v = 0; v < count; v++) {
    const [x, y, z] = [camera_mm[3 * v]!, camera_mm[3 * v + 1]!, camera_mm[3 * v + 2]!];
    const facing = -(normals[3 * v]! * x + normals[3 * v + 1]! * y + normals[3 * v + 2]! * z) / Math.hypot(x, y, z);
    const before = depths[place(v)]!;
    weight[v] = z - before > NEARER_MM ? 0 : smoothstep(EDGE_ON, FACING, facing);
  }
  return { camera_mm, pixels, weight: softened(weight, neighbours) };
}

function depthMap(camera_mm: Float32Array, pixels: Float32Array, triangles: ArrayLike<number>) {
  const [low, high] = [
    [Infinity, Infinity],
    [-Infinity, -Infinity],
  ];
  for (let i = 0; i < pixels.length; i++) {
    low[i % 2] = Math.min(low[i % 2]!, pixels[i]!);
    high[i % 2] = Math.max(high[i % 2]!, pixels[i]!);
  }
  const scale = (GRID - 1) / Math.max(high[0]! - low[0]!, high[1]! - low[1]!);
  const grid = pixels.map((value, i) => (value - low[i % 2]!) * scale);
  const depths = new Float32Array(GRID * GRID).fill(Infinity);
  for (let i = 0; i < triangles.length; i += 3) {
    const [a, b, c] = [triangles[i]!, triangles[i + 1]!, triangles[i + 2]!];
    const [za, zb, zc] = [camera_mm[3 * a + 2]!, camera_mm[3 * b + 2]!, camera_mm[3 * c + 2]!];
    const corners = [grid[2 * a]!, grid[2 * a + 1]!, grid[2 * b]!, grid[2 * b + 1]!, grid[2 * c]!, grid[2 * c + 1]!] as const;
    fillTriangle(GRID, GRID, corners, (pixel, u, v, w) => {
      depths[pixel] = Math.min(depths[pixel]!, u * za + v * zb + w * zc);
    });
  }
  const place = (v: number) => Math.min(Math.floor(grid[2 * v + 1]!), GRID - 1) * GRID + Math.min(Math.floor(grid[2 * v]!), GRID - 1);
  return { depths, place };
}

/** A little smaller, and with soft edges: what lies at the rim is background or hair. */
function softened(weight: Float32Array, { start, list }: Neighbours): Float32Array {
  let result = weight.map((own, v) => {
    let least = own;
    for (let k = start[v]!; k < start[v + 1]!; k++) least = Math.min(least, weight[list[k]!]!);
    return least;
  });
  for (let pass = 0; pass < 3; pass++)
    result = result.map((own, v) => {
      let sum = own;
      for (let k = start[v]!; k < start[v + 1]!; k++) sum += result[list[k]!]!;
      return sum / (1 + start[v + 1]! - start[v]!);
    });
  return result;
}

function smoothstep(from: number, to: number, value: number): number {
  const share = Math.min(Math.max((value - from) / (to - from), 0), 1);
  return share * share * (3 - 2 * share);
}
