/** Triangle meshes: three numbers a vertex, three corners a triangle. */

/** Unit normals, weighted by area; corners run anticlockwise seen from outside. */
export function vertexNormals(vertices: Float32Array, triangles: ArrayLike<number>): Float32Array {
  const sums = new Float32Array(vertices.length);
  for (let i = 0; i < triangles.length; i += 3) {
    const [a, b, c] = [3 * triangles[i]!, 3 * triangles[i + 1]!, 3 * triangles[i + 2]!];
    const [ux, uy, uz] = [vertices[b]! - vertices[a]!, vertices[b + 1]! - vertices[a + 1]!, vertices[b + 2]! - vertices[a + 2]!];
    const [vx, vy, vz] = [vertices[c]! - vertices[a]!, vertices[c + 1]! - vertices[a + 1]!, vertices[c + 2]! - vertices[a + 2]!];
    const [x, y, z] = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
    for (const corner of [a, b, c]) {
      sums[corner]! += x;
      sums[corner + 1]! += y;
      sums[corner + 2]! += z;
    }
  }
  for (let i = 0; i < sums.length; i += 3) {
    const length = Math.hypot(sums[i]!, sums[i + 1]!, sums[i + 2]!) || 1;
    for (let c = 0; c < 3; c++) sums[i + c]! /= length;
  }
  return sums;
}

/** Which vertices share an edge: those of vertex v lie from `start[v]` to `start[v + 1]`. */
export interface Neighbours {
  readonly start: Uint32Array;
  readonly list: Uint32Array;
}

export function neighboursOf(triangles: ArrayLike<number>, numVertices: number): Neighbours {
  const sets = Array.from({ length: numVertices }, () => new Set<number>());
  for (let i = 0; i < triangles.length; i += 3)
    for (let k = 0; k < 3; k++) {
      const [from, to] = [triangles[i + k]!, triangles[i + ((k + 1) % 3)]!];
      sets[from]!.add(to);
      sets[to]!.add(from);
    }
  const start = new Uint32Array(numVertices + 1);
  sets.forEach((set, v) => (start[v + 1] = start[v]! + set.size));
  return { start, list: Uint32Array.from(sets.flatMap((set) => [...set])) };
}

/** Visit each pixel whose middle lies in a triangle of the plane, with its corners' weights. */
export function fillTriangle(
  width: number,
  height: number,
  [ax, ay, bx, by, cx, cy]: readonly [number, number, number, number, number, number],
  visit: (pixel: number, a: number, b: number, c: number) => void,
): void {
  const area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
  if (!area) return;
  const [left, right] = [Math.max(Math.floor(Math.min(ax, bx, cx)), 0), Math.min(Math.ceil(Math.max(ax, bx, cx)), width)];
  const [top, bottom] = [Math.max(Math.floor(Math.min(ay, by, cy)), 0), Math.min(Math.ceil(Math.max(ay, by, cy)), height)];
  for (let y = top; y < bottom; y++)
    for (let x = left; x < right; x++) {
      const [px, py] = [x + 0.5, y + 0.5];
      const b = ((px - ax) * (cy - ay) - (py - ay) * (cx - ax)) / area;
      const c = ((bx - ax) * (py - ay) - (by - ay) * (px - ax)) / area;
      const a = 1 - b - c;
      if (a >= -1e-6 && b >= -1e-6 && c >= -1e-6) visit(y * width + x, a, b, c);
    }
}
