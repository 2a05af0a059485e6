// The page in a frame of a notebook: what holds the frame asks the kernel and brings the answers.

import { through } from "../api.js";

const waiting = new Map();
const own = Math.random().toString(36).slice(2);
let count = 0;

through(async (address, { body } = {}) => {
  const bytes = body === undefined ? undefined : typeof body === "string" ? new TextEncoder().encode(body).buffer : await body.arrayBuffer();
  const number = `${own}-${++count}`;
  return new Promise((answered) => {
    waiting.set(number, answered);
    parent.postMessage({ beak: "asks", number, address, body: bytes }, "*");
  });
});

addEventListener("message", ({ source, data }) => {
  if (source !== parent || data?.beak !== "answers" || !waiting.has(data.number)) return;
  waiting.get(data.number)(new Response(data.body, { status: data.status }));
  waiting.delete(data.number);
});
