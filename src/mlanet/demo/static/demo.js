// A photo goes to the server, which says where its faces are, and then makes the head of one.

import { hasCamera, takePhoto } from "./camera.js";

const element = (id) => document.getElementById(id);
const MAX_BYTES = Number(document.body.dataset.maxBytes);
const LONG_MS = 2000; // whoever waits longer is told of the queue
const NAME_LENGTH = 40;

let visit = new AbortController(); // ends what the last photo asked for
let shown; // the files of the head that is shown, and their name

async function open(photo) {
  if (!photo) return;
  visit.abort();
  visit = new AbortController();
  const { signal } = visit;
  const name = photo.name || "photo";
  leave();
  busy("Looking for faces …");
  try {
    if (photo.size > MAX_BYTES) throw new Error(`photo: has more than ${MAX_BYTES / 1e6} MB`);
    const found = await asked("faces", photo, signal, (words) => busy(words));
    busy("");
    showPhoto(photo, name, found, signal);
  } catch (error) {
    if (signal.aborted) return;
    busy("");
    complain(element("problem"), error, name);
  }
}

function showPhoto(photo, name, { preview, boxes, head }, signal) {
  element("photo").src = `data:image/jpeg;base64,${preview}`;
  const buttons = boxes.map(([left, top, right, bottom], number) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "box";
    button.setAttribute("aria-label", `Face ${number + 1}`);
    button.setAttribute("aria-pressed", "false");
    const percent = (share) => `${100 * Math.min(Math.max(share, 0), 1)}%`;
    button.style.left = percent((left + right) / 2);
    button.style.top = percent((top + bottom) / 2);
    button.style.width = percent(right - left);
    button.style.height = percent(bottom - top);
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", `${other === button}`);
      void showHead(photo, name, number, buttons.length, signal, head);
    });
    return button;
  });
  element("boxes").replaceChildren(...buttons);
  element("start").hidden = true;
  element("result").hidden = false;
  element("which").hidden = buttons.length === 1;
  if (buttons.length === 1) buttons[0].click();
  else chooseFace();
}

/** Show the photo large, with the boxes of its faces. */
function chooseFace() {
  const boxes = element("boxes").children;
  element("result").classList.add("choosing");
  element("told").textContent = `${boxes.length} faces: choose one.`;
  boxes[0].focus();
}

let choice = 0;

async function showHead(photo, name, number, count, signal, made) {
  const mine = ++choice;
  const current = () => mine === choice && !signal.aborted;
  const stem = name.replace(/\.[^.]*$/, "") || "photo";
  clearHead();
  element("result").classList.remove("choosing");
  element("told").textContent = `Face ${number + 1} of ${count}`;
  say("Making the head …");
  try {
    const files = made ?? (await asked(`heads/${number}`, photo, signal, (words) => current() && say(words)));
    if (!current()) return;
    const own = count > 1 ? `${stem}_face_${number + 1}` : stem;
    shown = { json: files.json, page: named(files.page, own), name: own };
    say("");
    element("stage").append(frameOf(shown.page));
  } catch (error) {
    if (current()) complain(element("message"), error, name);
  }
}

/** A viewer's page in a frame that reaches nothing of this page, of the server, or of the network. */
function frameOf(page) {
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-scripts allow-downloads");
  frame.title = "3D head";
  frame.src = "frame";
  const whole = page.replace("</body>", () => `${MORE_DOWNLOADS}</body>`);
  frame.addEventListener("load", () => frame.contentWindow.postMessage(whole, "*"), { once: true });
  return frame;
}

/** A viewer's page whose downloads have the name of the photo. */
function named(page, name) {
  const text = JSON.stringify(name).replaceAll("<", "\\u003c");
  return page.replace('"name": "face"', () => `"name": ${text}`);
}

/** What this page adds to the viewer's downloads, so that all are in one place. */
const MORE_DOWNLOADS = `<style>
.downloads { flex-wrap: wrap; }
.downloads button { flex: 1; }
.downloads .main { flex-basis: 100%; }
</style>
<script>
for (const [kind, word, title] of [
  ["json", "JSON", "Pose, camera, landmarks, coefficients"],
  ["page", "Page", "This view in one file that opens without a network"],
]) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", id: "save-" + kind, textContent: word, title });
  button.addEventListener("click", () => parent.postMessage(kind, "*"));
  document.querySelector(".downloads").append(button);
}
</script>`;

/** What the server makes of a photo. Throws what is to be said. */
async function asked(address, photo, signal, say) {
  const started = performance.now();
  const timer = setInterval(async () => {
    if (performance.now() - started < LONG_MS) return;
    const { waiting } = await (await fetch("queue", { signal })).json().catch(() => ({}));
    if (waiting > 1) say(`${waiting} photos are in the queue …`);
  }, 1000);
  try {
    const headers = { "Content-Type": "application/octet-stream" };
    const request = fetch(address, { method: "POST", body: photo, headers, signal });
    const response = await request.catch((error) => {
      if (signal.aborted) throw error;
      throw new Error("The server does not answer; or the file cannot be read.");
    });
    const content = await response.json().catch(() => ({}));
    if (response.ok) return content;
    throw new Error(content.error ?? "The server is busy. Please try again in a moment.");
  } finally {
    clearInterval(timer);
  }
}

function busy(words) {
  element("busy").hidden = !words;
  element("busy-words").textContent = words;
  element("problem").hidden = true;
}

function say(words) {
  element("message").classList.remove("problem");
  element("message").classList.toggle("working", words !== "");
  element("message").textContent = words;
}

function complain(place, error, name) {
  const short = name.length > NAME_LENGTH ? `${name.slice(0, NAME_LENGTH)}…` : name;
  place.textContent = error.message.replace(/^photo:/, () => `${short}:`);
  place.classList.remove("working");
  place.classList.add("problem");
  place.hidden = false;
}

function clearHead() {
  shown = undefined;
  element("stage").querySelector("iframe")?.remove();
}

/** Back to the first view; what was there is forgotten. */
function leave() {
  clearHead();
  element("photo").removeAttribute("src");
  element("boxes").replaceChildren();
  element("result").hidden = true;
  element("start").hidden = false;
  busy("");
}

function save(content, type, ending) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = `${shown.name}.${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

for (const id of ["file", "phone-camera"])
  element(id).addEventListener("change", ({ target }) => {
    const [photo] = target.files;
    void open(photo).then(() => (target.value = "")); // the same one may be chosen again
  });
element("choose").addEventListener("click", () => element("file").click());
element("take").addEventListener("click", async () => {
  if (!hasCamera()) return element("phone-camera").click();
  busy("");
  try {
    await open(await takePhoto());
  } catch (error) {
    complain(element("problem"), error, "");
  }
});
element("cancel").addEventListener("click", () => {
  visit.abort();
  leave();
});
element("again").addEventListener("click", () => {
  visit.abort();
  leave();
  element("choose").focus();
});
element("others").addEventListener("click", chooseFace);
addEventListener("message", ({ source, data }) => {
  if (!shown || source !== element("stage").querySelector("iframe")?.contentWindow) return;
  if (data === "json") save(shown.json, "application/json", "json");
  if (data === "page") save(shown.page, "text/html", "html");
});

addEventListener("paste", ({ clipboardData }) => void open(clipboardData?.files[0]));
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragging");
});
addEventListener("dragleave", ({ relatedTarget }) => {
  if (!relatedTarget) document.body.classList.remove("dragging");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  void open(event.dataTransfer?.files[0]);
});

const here = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
element("privacy").textContent =
  `The photo goes to mlanet on ${here ? "this computer" : location.hostname} and nowhere else. Nothing of it is kept.`;
