/** onnxruntime-web on one thread, and the two networks that it runs. */
import * as ort from "onnxruntime-web/wasm";
import type { RunDetector } from "../detection/centerface";
import type { Picture } from "../image/picture";

/** The runtime's WebAssembly file, before the first network is opened. */
export function useRuntime(wasm: ArrayBuffer): void {
  ort.env.wasm.wasmBinary = wasm;
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.proxy = false;
  ort.env.logLevel = "error";
}

async function opened(network: ArrayBuffer): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(new Uint8Array(network), { executionProviders: ["wasm"], logSeverityLevel: 3 });
}

/** The shipped detector (src/mlanet/data/centerface.onnx). */
export async function openDetector(network: ArrayBuffer): Promise<RunDetector> {
  const session = await opened(network);
  return async ({ planes, width, height }) => {
    const found = await session.run({ image: new ort.Tensor("float32", planes, [1, 3, height, width]) });
    const values = (name: string) => found[name]!.data as Float32Array;
    const [, , rows, columns] = found.heat!.dims as [number, number, number, number];
    return { rows, columns, heat: values("heat"), logSize: values("log_size"), offset: values("offset"), landmarks: values("landmarks") };
  };
}

export interface Answer {
  readonly vector: Float32Array;
  readonly logVariances: Float32Array | undefined;
}

/** What the network says of a crop of its own size. */
export type Regressor = (crop: Picture) => Promise<Answer>;

/** The shipped network (src/mlanet/data/mobile.onnx). */
export async function openRegressor(network: ArrayBuffer): Promise<Regressor> {
  const session = await opened(network);
  return async ({ data, width, height }) => {
    const planes = new Float32Array(3 * width * height);
    for (let i = 0; i < width * height; i++)
      for (let c = 0; c < 3; c++) planes[c * width * height + i] = data[4 * i + c]! / 255;
    const found = await session.run({ crop: new ort.Tensor("float32", planes, [1, 3, height, width]) });
    return {
      vector: found.coefficients!.data as Float32Array,
      logVariances: found.log_variances?.data as Float32Array | undefined,
    };
  };
}
