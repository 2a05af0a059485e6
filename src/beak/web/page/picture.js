// A picture: drawn, dropped, pasted, chosen, or from the webcam.

import { webcam } from "./devices.js";
import { h } from "./dom.js";
import { opener, takeFiles } from "./files.js";
import { past } from "./past.js";
import { world } from "./world.js";

const SIDE = 168;

export function pictureEditor(give) {
  const [channels, high, wide] = world.network.input;
  const paper = world.network.background > 127 ? "#fff" : "#000";
  const pen = world.network.background > 127 ? "#000" : "#fff";
  const height = Math.round((SIDE * high) / wide);
  const canvas = h("canvas", { width: SIDE, height, class: "draw", tabindex: "0", role: "application",
    "aria-label": "Draw here with the pointer; with the keyboard arrow keys move the pen, Space puts it down or lifts it" });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const colour = channels === 3 ? h("input", { type: "color", value: pen, "aria-label": "Colour of the pen" }) : null;
  const place = h("span", { class: "pen", hidden: true });
  let pointer = null, sending = 0, opaque = false; // opaque: the browser cannot show what the network was given

  const history = past(() => context.getImageData(0, 0, SIDE, height), (image) => {
    cam.stop();
    context.putImageData(image, 0, 0);
    send();
  });
  const changing = () => { cam.stop(); history.mark(); };
  const clear = () => { context.fillStyle = paper; context.fillRect(0, 0, SIDE, height); };
  const send = (note) => {
    opaque = false;
    sending++;
    canvas.toBlob((blob) => { sending--; if (blob) give(blob, undefined, note); }, "image/png");
  };

  function stroke(from, to) {
    context.strokeStyle = colour?.value ?? pen;
    context.lineWidth = SIDE / 12;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x + 0.01, to.y);
    context.stroke();
    send();
  }

  const spot = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: ((event.clientX - box.left) / box.width) * SIDE, y: ((event.clientY - box.top) / box.height) * height };
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    changing();
    pointer = spot(event);
    stroke(pointer, pointer);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!pointer) return;
    const next = spot(event);
    stroke(pointer, next);
    pointer = next;
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { pointer = null; });

  const key = { x: SIDE / 2, y: height / 4, down: false };
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-6, 0], ArrowRight: [6, 0], ArrowUp: [0, -6], ArrowDown: [0, 6] }[event.key];
    if (event.key === " ") {
      key.down = !key.down;
      event.preventDefault();
      if (key.down) { changing(); stroke(key, key); }
      point();
    }
    if (!step) return;
    event.preventDefault();
    const from = { x: key.x, y: key.y };
    key.x = Math.max(0, Math.min(SIDE, key.x + step[0]));
    key.y = Math.max(0, Math.min(height, key.y + step[1]));
    if (key.down) stroke(from, key);
    point();
  });
  // Where the pen is, for those who move it by keys; full while it is down.
  function point() {
    place.hidden = false;
    place.classList.toggle("down", key.down);
    place.style.left = `${(100 * key.x) / SIDE}%`;
    place.style.top = `${(100 * key.y) / height}%`;
  }
  canvas.addEventListener("focus", () => canvas.matches(":focus-visible") && point());
  canvas.addEventListener("blur", () => { place.hidden = true; key.down = false; });

  async function take(blob, note) {
    changing();
    give(blob, undefined, note);
    opaque = false;
    try {
      const picture = await createImageBitmap(blob);
      clear();
      context.drawImage(picture, 0, 0, SIDE, height);
    } catch {
      opaque = true; // the server may read it all the same, else it says what is wrong with it
    }
  }

  const cam = webcam(history.mark, (video) => {
    const side = Math.min(video.videoWidth / wide, video.videoHeight / high);
    const [w, t] = [side * wide, side * high];
    context.drawImage(video, (video.videoWidth - w) / 2, (video.videoHeight - t) / 2, w, t, 0, 0, SIDE, height);
    send();
  }, send);

  takeFiles(take);
  clear();
  return {
    element: h("div", { class: "editor" }, h("div", { class: "sheet" }, canvas, place), h("div", { class: "row" },
      h("button", { type: "button", onclick: () => { changing(); clear(); send(); } }, "clear"), history.buttons, opener("image/*", take),
      cam.button, colour, cam.video), h("p", { class: "hint" }, "Draw, drop or paste a picture.")),
    show: (maps, again, newer) => {
      if (pointer || sending || newer) return; // what is being drawn stays
      if (again ? maps.input === "nothing" : !opaque) return;
      if (again) changing();
      opaque = false;
      mirror(maps, context, height);
    },
  };
}

// What the network looks at is drawn where one draws, so that one can go on drawing on it.
function mirror(maps, context, height) {
  const { values, shape } = maps.layers.get("input");
  const bounds = world.network.bounds;
  if (!bounds) return;
  const [channels, high, wide] = shape;
  const image = new ImageData(wide, high);
  for (let i = 0; i < high * wide; i++) {
    for (let c = 0; c < 3; c++) {
      const k = channels === 3 ? c : 0;
      image.data[4 * i + c] = (255 * (values[k * high * wide + i] - bounds[0][k])) / (bounds[1][k] - bounds[0][k]);
    }
    image.data[4 * i + 3] = 255;
  }
  const small = new OffscreenCanvas(wide, high);
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, SIDE, height);
  context.imageSmoothingEnabled = true;
}
