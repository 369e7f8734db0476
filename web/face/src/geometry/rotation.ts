/** Rotations (mlanet.geometry.rotation): three rows of three numbers. */

export type Vector = readonly [x: number, y: number, z: number];
export type Matrix3 = readonly [Vector, Vector, Vector];

/** First two columns of a rotation matrix. */
export type SixNumbers = readonly [number, number, number, number, number, number];

/** Rotation matrix whose first two columns are the orthonormalised halves (Zhou et al., 2019). */
export function matrixFrom6d([a, b, c, d, e, f]: SixNumbers): Matrix3 {
  const x = unit([a, b, c]);
  const along = dot(x, [d, e, f]);
  const y = unit([d - along * x[0], e - along * x[1], f - along * x[2]]);
  const z = cross(x, y);
  return [
    [x[0], y[0], z[0]],
    [x[1], y[1], z[1]],
    [x[2], y[2], z[2]],
  ];
}

/** Pitch, yaw and roll in degrees of a model-to-camera rotation. */
export function eulerDeg(rotation: Matrix3): Vector {
  const viewer = viewerFromCamera(rotation);
  const yaw = Math.asin(Math.min(Math.max(-viewer[0][2], -1), 1));
  const pitch = Math.atan2(viewer[1][2], viewer[2][2]);
  const roll = Math.atan2(viewer[0][1], viewer[0][0]);
  return [pitch, yaw, roll].map((angle) => (angle * 180) / Math.PI) as unknown as Vector;
}

/** Rows turned from the camera's axes to a viewer's (x right, y up, z nearer), or back. */
export function viewerFromCamera([x, y, z]: Matrix3): Matrix3 {
  return [x, scaled(y, -1), scaled(z, -1)];
}

export function apply([x, y, z]: Matrix3, point: Vector): Vector {
  return [dot(x, point), dot(y, point), dot(z, point)];
}

export function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

export function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function scaled([x, y, z]: Vector, by: number): Vector {
  return [by * x, by * y, by * z];
}

function unit(vector: Vector): Vector {
  return scaled(vector, 1 / Math.sqrt(dot(vector, vector) + 1e-12));
}

export function transposed([a, b, c]: Matrix3): Matrix3 {
  return [
    [a[0], b[0], c[0]],
    [a[1], b[1], c[1]],
    [a[2], b[2], c[2]],
  ];
}

export function product(a: Matrix3, b: Matrix3): Matrix3 {
  const columns = transposed(b);
  return a.map((row) => columns.map((column) => dot(row, column))) as unknown as Matrix3;
}

/** Axis times angle in radians of a rotation. */
export function rotationVector(m: Matrix3): Vector {
  const axis: Vector = [m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1]];
  const sine = Math.sqrt(dot(axis, axis)) / 2;
  const angle = Math.atan2(sine, (m[0][0] + m[1][1] + m[2][2] - 1) / 2);
  return scaled(axis, sine > 1e-9 ? angle / (2 * sine) : 0.5);
}

/** The rotation about an axis (Rodrigues). */
export function fromRotationVector(vector: Vector): Matrix3 {
  const angle = Math.sqrt(dot(vector, vector));
  const [x, y, z] = scaled(vector, angle > 1e-12 ? 1 / angle : 0);
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const d = 1 - c;
  return [
    [c + d * x * x, d * x * y - s * z, d * x * z + s * y],
    [d * x * y + s * z, c + d * y * y, d * y * z - s * x],
    [d * x * z - s * y, d * y * z + s * x, c + d * z * z],
  ];
}
