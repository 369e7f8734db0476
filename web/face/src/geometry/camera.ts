/** Pose and pinhole camera (mlanet.geometry.camera). Lengths in mm, pictures in pixels. */
import type { CropTransform } from "../image/crop";
import type { Point } from "../image/picture";
import { apply, type Matrix3, type Vector } from "./rotation";

/** Focal length of the crop's camera over the crop's side. */
export const FOCAL_LENGTH_PER_CROP = 1015 / 224;

/** Depth of the model's origin for a zero translation coefficient. */
const REFERENCE_DISTANCE_MM = 1000;

/** Rigid motion from model to camera: x right, y down, z forward. */
export interface Pose {
  readonly rotation: Matrix3;
  readonly translation_mm: Vector;
}

export interface Camera {
  readonly focal_length_px: number;
  readonly principal_point_px: Point;
}

/** The camera through which the network sees a crop, in pixels of the picture it was cut from. */
export function cameraOf({ scale, shift }: CropTransform, size: number): Camera {
  return {
    focal_length_px: (FOCAL_LENGTH_PER_CROP * size) / scale,
    principal_point_px: [(size / 2 - shift[0]) / scale, (size / 2 - shift[1]) / scale],
  };
}

/** The place of the model's origin from a network's translation numbers. */
export function decodeTranslation([x, y, z]: Vector): Vector {
  const depth = REFERENCE_DISTANCE_MM * Math.exp(-z);
  return [(x / FOCAL_LENGTH_PER_CROP) * depth, (y / FOCAL_LENGTH_PER_CROP) * depth, depth];
}

/** Points of the model frame, three numbers each, in the camera frame. */
export function inCamera({ rotation, translation_mm }: Pose, points: Float32Array): Float32Array {
  const result = new Float32Array(points.length);
  for (let i = 0; i < points.length; i += 3) {
    const [x, y, z] = apply(rotation, [points[i]!, points[i + 1]!, points[i + 2]!]);
    result[i] = x + translation_mm[0];
    result[i + 1] = y + translation_mm[1];
    result[i + 2] = z + translation_mm[2];
  }
  return result;
}

/** A camera-frame point in pixels. */
export function project({ focal_length_px: f, principal_point_px: [cx, cy] }: Camera, x: number, y: number, z: number): Point {
  return [(f * x) / z + cx, (f * y) / z + cy];
}

/** Model points in pixels of the picture. */
export function inPixels(camera: Camera, pose: Pose, points: Float32Array): Point[] {
  const there = inCamera(pose, points);
  return Array.from({ length: there.length / 3 }, (_, i) => project(camera, there[3 * i]!, there[3 * i + 1]!, there[3 * i + 2]!));
}
