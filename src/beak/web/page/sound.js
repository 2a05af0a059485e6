// A sound: recorded, dropped or opened. What is recorded goes out as a 16-bit wav file.

import { refused } from "./devices.js";
import { h, trouble } from "./dom.js";
import { opener, takeFiles } from "./files.js";
import { world } from "./world.js";

const MOST_SECONDS = 10;

export function soundEditor(give) {
  const audio = h("audio", { controls: true, hidden: true, "aria-label": "What came in" });
  const button = h("button", { type: "button", onclick: record }, "record");
  const seconds = world.network.sound.seconds;
  const usual = `Record${seconds ? ` about ${seconds.toFixed(1)} s` : ""}, or drop a sound.`;
  const hint = h("p", { class: "hint" }, usual);
  let recorder = null, asking = false;

  function take(blob, note) {
    if (audio.src) URL.revokeObjectURL(audio.src);
    audio.src = URL.createObjectURL(blob);
    audio.hidden = false;
    give(blob, undefined, note);
  }

  async function record() {
    if (recorder) return recorder.state === "recording" && recorder.stop();
    if (asking) return;
    asking = true;
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      recorder = recording(stream);
    } catch (error) {
      stream?.getTracks().forEach((track) => track.stop());
      trouble(refused("microphone", error, "drop a sound"));
    } finally {
      asking = false;
    }
  }

  // Records until it is stopped, the microphone goes away, or it is long enough.
  function recording(stream) {
    const made = new MediaRecorder(stream), parts = [];
    let lost = false, passed = 0;
    const clock = setInterval(() => { if (++passed === MOST_SECONDS) made.stop(); else tell(); }, 1000);
    const tell = () => { hint.textContent = `Recording, ${passed} of at most ${MOST_SECONDS} s`; };
    stream.getTracks().forEach((track) => track.addEventListener("ended", () => {
      lost = true;
      if (made.state === "recording") made.stop();
    }));
    made.ondataavailable = (event) => parts.push(event.data);
    made.onstop = async () => {
      clearInterval(clock);
      recorder = null;
      button.textContent = "record";
      hint.textContent = usual;
      stream.getTracks().forEach((track) => track.stop());
      try {
        take(await asWav(new Blob(parts)), lost ? "the microphone went away; this is what came until then" : undefined);
      } catch {
        trouble(lost ? "the microphone went away before anything came; try again" : "the recording could not be read; record for longer, or drop a sound");
      }
    };
    made.start();
    button.textContent = "stop";
    tell();
    return made;
  }

  takeFiles(take);
  return {
    element: h("div", { class: "editor" }, h("div", { class: "row" }, button, opener("audio/*", take)), audio, hint),
    show: (maps, again) => { if (again) audio.hidden = true; }, // what is looked at is not what can be heard
  };
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
