/** What the page and its worker say to each other. */
import type { Person, RigMesh } from "../head/rig";
import type { Picture } from "../image/picture";
import type { Motion } from "../live/smoother";
import type { FoundFace, Reconstruction } from "../reconstructor";

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
  /** The faces of a photo, from left to right. */
  faces: { given: Picture; answer: readonly FoundFace[] };
  head: { given: { image: Picture; face: Reconstruction; size: number }; answer: MadeHead };
  /** The person in a camera's next picture. */
  follow: { given: { image: Picture; time_ms: number }; answer: FollowedFace | undefined };
  /** Forget whom the camera showed. */
  leave: { given: undefined; answer: undefined };
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
