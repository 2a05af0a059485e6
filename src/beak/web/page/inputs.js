// The reader's own input: which editor each kind has, and the way from it to all maps, live.

import { examples, lookAgain, lookAt } from "./api.js";
import { boardEditor } from "./board.js";
import { fill, h, trouble } from "./dom.js";
import { pictureEditor } from "./picture.js";
import { soundEditor } from "./sound.js";
import { textEditor } from "./text.js";
import { world } from "./world.js";

const EDITORS = { pictures: pictureEditor, sounds: soundEditor, texts: textEditor, go: boardEditor };

let seen = () => {};
let waiting = null;
let busy = false;
let editor = null;

export function build(section, whenSeen) {
  seen = whenSeen;
  const make = EDITORS[world.network.kind];
  editor = make ? make(give) : null;
  const about = h("p", { id: "about", class: "hint" });
  fill(section, h("h2", {}, "Your input"), editor?.element, about, h("div", { id: "examples" }));
}

// The newest input wins; one is on its way at a time, so that drawing never queues up. `note`: what
// is to be told beside it.
export function give(body, move, note) {
  waiting = { look: () => lookAt(body, move), note };
  work();
}

// Examples to choose from; the first is looked at where nothing else came meanwhile: opening a
// large set takes a while, in which one can draw.
export async function offerExamples(look) {
  await offer(document.getElementById("examples"));
  if (look && world.maps?.input === "nothing" && !busy && document.getElementById("example")) await again("example-0");
}

export function again(input) {
  waiting = { look: () => lookAgain(input), again: true };
  return work();
}

async function work() {
  if (busy) return;
  busy = true;
  while (waiting) {
    const { look, again: known = false, note } = waiting;
    waiting = null;
    try {
      const maps = await look();
      trouble("");
      tell(maps.about, note);
      seen(maps);
      editor?.show?.(maps, known, Boolean(waiting)); // something newer may have come meanwhile
    } catch (error) {
      trouble(error.message);
    }
  }
  busy = false;
}

function tell(about, note) {
  const select = document.getElementById("example");
  if (select) select.value = String(about.example ?? ""); // none of them is chosen where it is one's own
  const line = [about.name ? `${about.name}, labelled ${about.label}` : null, ...(about.notes ?? []), note];
  document.getElementById("about").textContent = line.filter(Boolean).join("; ");
}

async function offer(place) {
  let found;
  fill(place, h("p", { class: "hint" }, "reading the examples it was tested on …"));
  try {
    found = await examples();
  } catch {
    fill(place); // the data is elsewhere: one's own input is enough
    return;
  }
  fill(place);
  if (!found.names.length) return;
  const select = h("select", { id: "example", onchange: () => again(`example-${select.value}`) },
    found.names.slice(0, 200).map((name, i) => h("option", { value: String(i) }, `${name}: ${found.labels[i]}`)));
  const next = h("button", { type: "button", onclick: () => {
    select.value = String((select.selectedIndex + 1) % select.length);
    again(`example-${select.value}`);
  } }, "next");
  fill(place, h("label", { for: "example" }, "or one of the examples it was tested on"), h("div", { class: "row" }, select, next));
  if (world.maps) tell(world.maps.about);
}
