/** The page's large files: fetched together, unpacked, each only once. */
import detector from "../../../../src/mlanet/data/centerface.onnx?url";
import network from "../../../../src/mlanet/data/mobile.onnx?url";
import model from "../../parts/face_model.packed?url";
import runtime from "../../parts/runtime.packed?url";

const ADDRESSES = { detector, network, model, runtime };
const PACKED: readonly PartName[] = ["model", "runtime"];

type PartName = keyof typeof ADDRESSES;
export type Parts = Record<PartName, ArrayBuffer>;

/** `progress` is told the share of the bytes that have arrived. */
export async function fetchParts(progress: (share: number) => void): Promise<Parts> {
  const arrived = new Map<PartName, [bytes: number, of: number]>();
  const tell = () => {
    const all = [...arrived.values()];
    progress(all.reduce((sum, [bytes]) => sum + bytes, 0) / Math.max(all.reduce((sum, [, of]) => sum + of, 0), 1));
  };
  const names = Object.keys(ADDRESSES) as PartName[];
  const responses = await Promise.all(
    names.map(async (name) => {
      const response = await fetch(new URL(ADDRESSES[name], import.meta.url));
      if (!response.ok || !response.body) throw new Error(`${ADDRESSES[name]} cannot be loaded (${response.status})`);
      arrived.set(name, [0, Number(response.headers.get("Content-Length")) || 1]);
      return { name, body: response.body };
    }),
  );
  const contents = responses.map(async ({ name, body }) => {
    const counted = body.pipeThrough(
      new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
        transform(chunk, controller) {
          arrived.get(name)![0] += chunk.length;
          tell();
          controller.enqueue(chunk);
        },
      }),
    );
    const stream = PACKED.includes(name) ? counted.pipeThrough(new DecompressionStream("gzip")) : counted;
    return [name, await new Response(stream).arrayBuffer()] as const;
  });
  return Object.fromEntries(await Promise.all(contents)) as Parts;
}
