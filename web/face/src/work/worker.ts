/** Networks and geometry, apart from the page so that it stays quick. */
import { personOf, rigOf } from "../head/rig";
import { textureOf } from "../head/texture";
import { Follower } from "../live/follower";
import { Smoother } from "../live/smoother";
import { FaceModel } from "../morphable/model";
import { openDetector, openRegressor, useRuntime } from "../network/runtime";
import { Reconstructor, inReadingOrder } from "../reconstructor";
import { fetchParts } from "./parts";
import type { Reply, Request, Service, Services } from "./protocol";

type Doing = { [S in Service]: (given: Services[S]["given"]) => Promise<Services[S]["answer"]> };

let reconstructor: Reconstructor;
let follower: Follower;
let smoother: Smoother;

const doing: Doing = {
  async open() {
    const parts = await fetchParts((share) => reply({ kind: "progress", share }));
    useRuntime(parts.runtime);
    const detector = await openDetector(parts.detector);
    const regressor = await openRegressor(parts.network);
    const model = new FaceModel(parts.model);
    reconstructor = new Reconstructor(detector, regressor, model);
    await doing.leave(undefined);
    return { rig: rigOf(model), expressions: model.header.expressions };
  },
  async faces(image) {
    return inReadingOrder(await reconstructor.faces(image));
  },
  async head({ image, face, size }) {
    const { model } = reconstructor;
    return { person: personOf(model, face.coefficients.identity), texture: textureOf(model, image, face, size) };
  },
  async follow({ image, time_ms }) {
    const face = await follower.next(image, time_ms);
    if (!face) return undefined;
    const { expression, pose } = face.coefficients;
    return { face, motion: smoother.next({ expression, pose }, time_ms / 1000) };
  },
  async leave() {
    follower = new Follower(reconstructor);
    smoother = new Smoother();
    return undefined;
  },
};

function reply(message: Reply): void {
  (self as unknown as { postMessage: (message: Reply) => void }).postMessage(message);
}

let queue: Promise<void> = Promise.resolve();

self.addEventListener("message", ({ data: { number, service, given } }: MessageEvent<Request>) => {
  queue = queue.then(async () => {
    try {
      reply({ kind: "answer", number, answer: await (doing[service] as (given: unknown) => Promise<never>)(given) });
    } catch (error) {
      reply({ kind: "problem", number, words: error instanceof Error ? error.message : String(error) });
    }
  });
});
