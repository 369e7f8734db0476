/** Networks and geometry, apart from the page so that it stays quick. */
import { personOf, rigOf } from "../head/rig";
import { textureOf } from "../head/texture";
import { decoded, pixelsOf } from "../image/decode";
import { blank, type Picture } from "../image/picture";
import { Follower } from "../live/follower";
import { Smoother } from "../live/smoother";
import { FaceModel } from "../morphable/model";
import { openDetector, openRegressor, useRuntime } from "../network/runtime";
import { Reconstructor, inReadingOrder } from "../reconstructor";
import { fetchParts } from "./parts";
import type { Reply, Request, Service, Services } from "./protocol";

/** Texels across, and the side of a face's square in the photo from which they are worth it. */
const [LARGE, SMALL, WORTH_PX] = [1024, 512, 200];

/** What lives in this worker once it is open. */
interface Opened {
  reconstructor: Reconstructor;
  follower: Follower;
  smoother: Smoother;
  picture: Picture;
}

let opened: Promise<Opened> | undefined;

async function open(): Promise<Opened> {
  const parts = await fetchParts((share) => reply({ kind: "progress", share }));
  useRuntime(parts.runtime);
  const detector = await openDetector(parts.detector);
  const regressor = await openRegressor(parts.network);
  return fresh(new Reconstructor(detector, regressor, new FaceModel(parts.model)));
}

function fresh(reconstructor: Reconstructor): Opened {
  return { reconstructor, follower: new Follower(reconstructor), smoother: new Smoother(), picture: blank(1, 1) };
}

type Doing = { [S in Service]: (here: Opened, given: Services[S]["given"]) => Promise<Services[S]["answer"]> };

const doing: Doing = {
  async open({ reconstructor: { model } }) {
    return { rig: rigOf(model), expressions: model.header.expressions };
  },
  async faces(here, file) {
    here.picture = await decoded(file);
    const { width, height } = here.picture;
    return { faces: inReadingOrder(await here.reconstructor.faces(here.picture)), width, height };
  },
  async follow(here, { image, time_ms }) {
    here.picture = pixelsOf(image);
    const face = await here.follower.next(here.picture, time_ms);
    if (!face) return undefined;
    const { expression, pose } = face.coefficients;
    return { face, motion: here.smoother.next({ expression, pose }, time_ms / 1000) };
  },
  async head({ reconstructor: { model }, picture }, face) {
    const [left, , right] = face.square_px;
    const size = right - left < WORTH_PX ? SMALL : LARGE;
    return { person: personOf(model, face.coefficients.identity), texture: textureOf(model, picture, face, size) };
  },
  async forget({ reconstructor }) {
    opened = Promise.resolve(fresh(reconstructor));
    return undefined;
  },
};

function reply(message: Reply): void {
  (self as unknown as { postMessage: (message: Reply) => void }).postMessage(message);
}

async function answered({ number, service, given }: Request): Promise<Reply> {
  try {
    const here = await (opened ??= open());
    const answer = await (doing[service] as (here: Opened, given: unknown) => Promise<never>)(here, given);
    return { kind: "answer", number, answer };
  } catch (error) {
    return { kind: "problem", number, words: error instanceof Error ? error.message : String(error) };
  }
}

let queue: Promise<void> = Promise.resolve();

self.addEventListener("message", ({ data }: MessageEvent<Request>) => {
  queue = queue.then(async () => reply(await answered(data)));
});
