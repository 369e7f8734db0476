/** The page's side of its worker. */
import type { Reply, Service, Services } from "./protocol";

interface Waiting {
  resolve: (answer: never) => void;
  reject: (problem: Error) => void;
}

export class Workshop {
  private readonly worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  private readonly waiting = new Map<number, Waiting>();
  private number = 0;

  constructor(progress: (share: number) => void) {
    this.worker.addEventListener("message", ({ data }: MessageEvent<Reply>) => {
      if (data.kind === "progress") return progress(data.share);
      const { resolve, reject } = this.waiting.get(data.number)!;
      this.waiting.delete(data.number);
      if (data.kind === "answer") resolve(data.answer as never);
      else reject(new Error(data.words));
    });
    this.worker.addEventListener("error", (event) => {
      for (const { reject } of this.waiting.values()) reject(new Error(event.message || "the page's worker cannot be loaded"));
      this.waiting.clear();
    });
  }

  ask<S extends Service>(service: S, given: Services[S]["given"], transfer: Transferable[] = []): Promise<Services[S]["answer"]> {
    const number = this.number++;
    this.worker.postMessage({ number, service, given }, transfer);
    return new Promise((resolve, reject) => this.waiting.set(number, { resolve: resolve as (answer: never) => void, reject }));
  }
}
