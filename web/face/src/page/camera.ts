/** The camera's pictures, one after the other, as fast as they are worked on. */

export class Camera {
  private constructor(
    private readonly stream: MediaStream,
    readonly video: HTMLVideoElement,
  ) {}

  /** Throws what is to be said. */
  static async open(video: HTMLVideoElement): Promise<Camera> {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 } } });
      video.srcObject = stream;
      await video.play();
      return new Camera(stream, video);
    } catch (error) {
      const { name } = error as DOMException;
      if (name === "NotFoundError") throw new Error("There is no camera.");
      if (name === "NotAllowedError") throw new Error("The browser may not use the camera.");
      throw new Error("The camera cannot be used.");
    }
  }

  get open(): boolean {
    return this.stream.active;
  }

  /** The next picture. */
  async picture(): Promise<ImageBitmap> {
    await new Promise<unknown>((done) =>
      "requestVideoFrameCallback" in this.video ? this.video.requestVideoFrameCallback(done) : requestAnimationFrame(done),
    );
    return createImageBitmap(this.video);
  }

  close(): void {
    for (const track of this.stream.getTracks()) track.stop();
    this.video.srcObject = null;
  }
}
