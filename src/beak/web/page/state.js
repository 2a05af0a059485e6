// Where the reader is, kept in the address: back, forward and links lead to the exact place.

const FIELDS = ["layer", "tab", "map", "cell", "answer", "method", "walk", "view", "shift", "beside", "input", "run"];
const listeners = [];

export function place() {
  const words = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(FIELDS.filter((f) => words.has(f)).map((f) => [f, words.get(f)]));
}

function written(fields) {
  const words = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return "#" + words.map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll("%2C", ",")}`).join("&");
}

// Go to a place of its own (input and run stay where no others are named); {} is the whole network.
export function go(fields) {
  const next = link(fields);
  if (next === location.hash) return;
  history.pushState(null, "", next);
  tell();
}

// Change the address without a step back.
export function amend(fields) {
  history.replaceState(null, "", written({ ...place(), ...fields }));
}

export const link = (fields) => written({ ...fields, input: fields.input ?? place().input, run: fields.run ?? place().run });
export const listen = (listener) => listeners.push(listener);
const tell = () => listeners.forEach((listener) => listener(place()));

addEventListener("popstate", tell);
addEventListener("hashchange", tell);
