/** From a photo to the 3D faces in it: where the stages meet (mlanet.reconstructor). */
import { centerOf, type Candidate } from "./detection/candidates";
import { CenterFace, type RunDetector } from "./detection/centerface";
import { squareFromDetection } from "./detection/framing";
import { turnsToUpright } from "./detection/plausible";
import { cameraOf, inPixels, type Camera } from "./geometry/camera";
import { cropSquare } from "./image/crop";
import { turned, type Box, type Picture, type Point } from "./image/picture";
import type { FaceModel } from "./morphable/model";
import { splitVector, type Coefficients } from "./network/coefficients";
import { confidenceOfFace } from "./network/confidence";
import type { Regressor } from "./network/runtime";

/** A 3D face and the camera that sees it, in the photo's own pixels. */
export interface Reconstruction {
  /** The square that the network saw. */
  readonly square_px: Box;
  readonly coefficients: Coefficients;
  readonly camera: Camera;
  readonly landmarks_px: readonly Point[];
  /** Calibrated probability that the landmarks are right; 1 if the network does not say. */
  readonly confidence: number;
}

export interface FoundFace extends Reconstruction {
  readonly detection: Candidate;
}

export class Reconstructor {
  private readonly detector: CenterFace;

  constructor(
    detector: RunDetector,
    private readonly regressor: Regressor,
    readonly model: FaceModel,
  ) {
    this.detector = new CenterFace(detector);
  }

  /** All faces in a photo, best detection first. */
  async faces(image: Picture): Promise<FoundFace[]> {
    const faces: FoundFace[] = [];
    for (const detection of await this.detector.find(image)) {
      const face = await this.faceIn(image, squareFromDetection(detection), turnsToUpright(detection.points));
      faces.push({ ...face, detection });
    }
    return faces;
  }

  /** The face in a given square, which so many quarter turns bring nearest to upright. */
  async faceIn(image: Picture, square_px: Box, quarterTurns = 0): Promise<Reconstruction> {
    const { input_size, layout, confidence } = this.model.header.network;
    const crop = cropSquare(image, square_px, input_size);
    const { vector, logVariances } = await this.regressor(turned(crop.image, quarterTurns));
    const coefficients = splitVector(vector, layout.sizes, quarterTurns);
    const camera = cameraOf(crop.cropFromImage, input_size);
    const landmarks = this.model.landmarks(coefficients.identity, coefficients.expression);
    return {
      square_px,
      coefficients,
      camera,
      landmarks_px: inPixels(camera, coefficients.pose, landmarks),
      confidence: confidence && logVariances ? confidenceOfFace(logVariances, confidence) : 1,
    };
  }
}

/** Faces from left to right. */
export function inReadingOrder(faces: readonly FoundFace[]): FoundFace[] {
  return [...faces].sort((a, b) => centerOf(a.detection)[0] - centerOf(b.detection)[0]);
}
