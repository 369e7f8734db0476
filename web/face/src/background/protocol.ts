/** What the page and its worker say to each other. */
import type { Person, RigMesh } from "../head/rig";
import type { Picture } from "../image/picture";
import type { Motion } from "../live/smoother";
import type { FoundFace, Reconstruction } from "../reconstructor";

/** A photo's faces, from left to right, and its size in the pixels that they are told in. */
export interface FoundFaces {
  readonly faces: readonly FoundFace[];
  readonly width: number;
  readonly height: number;
}

/** A head to be drawn: the person at rest, and the photo's colours. */
export interface MadeHead {
  readonly person: Person;
  readonly texture: Picture;
}

export interface FollowedFace {
  readonly face: Reconstruction;
  /** The smoothed expression and pose. */
  readonly motion: Motion;
}

/** Each of the worker's services: what it is given and what it answers. */
export interface Services {
  /** Load everything; answers what all heads have in common. */
  open: { given: undefined; answer: { rig: readonly RigMesh[]; expressions: readonly string[] } };
  faces: { given: Blob; answer: FoundFaces };
  /** The person in a camera's next picture. */
  follow: { given: { image: ImageBitmap; time_ms: number }; answer: FollowedFace | undefined };
  /** The head of a face of the last photo, or of the camera's last picture. */
  head: { given: Reconstruction; answer: MadeHead };
  /** Forget the photo, and whom the camera showed. */
  forget: { given: undefined; answer: undefined };
}

export type Service = keyof Services;

export interface Request {
  readonly number: number;
  readonly service: Service;
  readonly given: Services[Service]["given"];
}

export type Reply =
  | { readonly kind: "progress"; readonly share: number }
  | { readonly kind: "answer"; readonly number: number; readonly answer: Services[Service]["answer"] }
  | { readonly kind: "problem"; readonly number: number; readonly words: string };
