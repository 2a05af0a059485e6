// A sound: recorded, dropped or opened. What is recorded goes out as a 16-bit wav file.

import { h, trouble } from "./dom.js";
import { takeFiles } from "./files.js";
import { world } from "./world.js";

const MOST_SECONDS = 10;

export function soundEditor(give) {
  const audio = h("audio", { controls: true, hidden: true, "aria-label": "What came in" });
  const file = h("input", { type: "file", accept: "audio/*", id: "file", class: "hidden-file", onchange: () => file.files[0] && take(file.files[0]) });
  const button = h("button", { type: "button", onclick: record }, "record");
  let stopping = null;

  function take(blob) {
    if (audio.src) URL.revokeObjectURL(audio.src);
    audio.src = URL.createObjectURL(blob);
    audio.hidden = false;
    give(blob);
  }

  async function record() {
    if (stopping) return stopping();
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch {
      return trouble("the browser gave no microphone; allow it, or drop a sound");
    }
    const recorder = new MediaRecorder(stream);
    const parts = [];
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.onstop = async () => {
      stopping = null;
      button.textContent = "record";
      stream.getTracks().forEach((track) => track.stop());
      try {
        take(await asWav(new Blob(parts)));
      } catch {
        trouble("the recording could not be read; try a file");
      }
    };
    stopping = () => recorder.state === "recording" && recorder.stop();
    recorder.start();
    button.textContent = "stop";
    setTimeout(() => stopping?.(), 1000 * MOST_SECONDS);
  }

  takeFiles(take);
  const seconds = world.network.sound.seconds;
  return { element: h("div", { class: "editor" }, h("div", { class: "row" }, button, h("label", { class: "button", for: "file" }, "open"), file), audio,
    h("p", { class: "hint" }, `Record${seconds ? ` about ${seconds.toFixed(1)} s` : ""}, or drop a sound.`)) };
}

async function asWav(blob) {
  const context = new AudioContext();
  const decoded = await context.decodeAudioData(await blob.arrayBuffer());
  await context.close();
  const samples = decoded.getChannelData(0);
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const word = (at, text) => [...text].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  word(0, "RIFF"); view.setUint32(4, 36 + 2 * samples.length, true); word(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, decoded.sampleRate, true); view.setUint32(28, 2 * decoded.sampleRate, true);
  view.setUint16(32, 2, true); view.setUint16(34, 16, true); word(36, "data"); view.setUint32(40, 2 * samples.length, true);
  samples.forEach((value, i) => view.setInt16(44 + 2 * i, Math.round(32767 * Math.max(-1, Math.min(1, value))), true));
  return new Blob([view], { type: "audio/wav" });
}
