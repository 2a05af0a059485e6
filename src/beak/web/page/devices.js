// The webcam, and why a browser gives a device or does not.

import { h, trouble } from "./dom.js";

const EVERY = 150; // milliseconds between two pictures

const WHY = {
  NotAllowedError: (device) => `the ${device} was not allowed; allow it for this page in the browser`,
  NotFoundError: (device) => `the browser finds no ${device}; plug one in`,
  NotReadableError: (device) => `the ${device} is in use by another program; close that`,
};

// One line for a person; `otherwise`: what can be done without the device.
export function refused(device, error, otherwise) {
  const why = !navigator.mediaDevices
    ? `browsers give a ${device} only to pages of this machine or over https`
    : (WHY[error.name]?.(device) ?? `the browser gave no ${device}`);
  return `${why}, or ${otherwise}`;
}

// A button that follows the webcam until it is pressed again, and `frame(video)` for each picture;
// `gone(note)`: the webcam went away.
export function webcam(begun, frame, gone) {
  const video = h("video", { class: "hidden-file", muted: true, playsinline: true, tabindex: "-1", "aria-hidden": "true" });
  let stream = null, asking = false;

  async function begin() {
    if (asking) return;
    asking = true;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: true });
      video.srcObject = stream;
      await video.play();
    } catch (error) {
      stop();
      return trouble(refused("webcam", error, "drop a picture"));
    } finally {
      asking = false;
    }
    stream.getTracks().forEach((track) => track.addEventListener("ended", lost));
    button.textContent = "stop";
    begun();
    follow(stream);
  }
  function follow(own) {
    if (stream !== own) return;
    frame(video);
    setTimeout(() => follow(own), EVERY);
  }
  function stop() {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    button.textContent = "webcam";
  }
  function lost() {
    if (!stream) return;
    stop();
    gone("the webcam went away; its last picture stays");
  }
  const button = h("button", { type: "button", onclick: () => (stream ? stop() : begin()) }, "webcam");
  return { button, video, stop };
}
