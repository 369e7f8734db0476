// Takes a photo with the computer's camera.

const element = (id) => document.getElementById(id);

/** Whether this browser gives this page a camera: elsewhere than on localhost, with https alone. */
export const hasCamera = () => Boolean(navigator.mediaDevices?.getUserMedia);

/** A photo as a file; null if the visitor did not want one. Throws what is to be said. */
export async function takePhoto() {
  const [dialog, video, shutter] = [element("camera"), element("video"), element("shutter")];
  const closed = new Promise((done) => dialog.addEventListener("close", done, { once: true }));
  dialog.returnValue = "";
  shutter.disabled = true;
  dialog.showModal();
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: { ideal: 1920 } } });
    if (!dialog.open) return null;
    video.srcObject = stream;
    await video.play();
    shutter.disabled = false;
    shutter.focus();
    await closed;
    return dialog.returnValue === "taken" ? await frameOf(video) : null;
  } catch (error) {
    if (error.name === "NotFoundError") throw new Error("There is no camera.");
    if (error.name === "NotAllowedError") throw new Error("The browser may not use the camera.");
    throw new Error("The camera cannot be used.");
  } finally {
    dialog.close();
    video.srcObject = null;
    for (const track of stream?.getTracks() ?? []) track.stop();
  }
}

async function frameOf(video) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext("2d").drawImage(video, 0, 0);
  const picture = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.95));
  return new File([picture], "camera.jpg", { type: "image/jpeg" });
}

element("shutter").addEventListener("click", () => element("camera").close("taken"));
element("camera-cancel").addEventListener("click", () => element("camera").close());
