// Try a run: a file or a text to the service, its answer as bars; the same as code to copy.

const at = (id) => document.getElementById(id);
const SHOWN = 10;
const SMALL = 96;
const KINDS = {
  pictures: { accept: "image/*", name: "photo.png", type: "image/png" },
  sounds: { accept: "audio/*", name: "yes.wav", type: "audio/wav" },
  go: { accept: ".sgf", name: "game.sgf", type: "application/x-go-sgf" },
  texts: { text: true },
  numbers: { array: true },
};
const state = { runs: [], run: null, language: "curl" };

function address(run = state.run) {
  return new URL(`v1/${run.name}/predict`, document.baseURI).href;
}

// Code to copy.

const quoted = (text) => JSON.stringify(text);
const single = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const CODE = {
  curl(run, kind) {
    if (kind.array) return `curl --json ${single('{"array": [[0.1, 0.2]]}')} ${address(run)}`;
    if (kind.text) return `curl --json ${single(JSON.stringify({ text: at("text").value || "a fine film" }))} ${address(run)}`;
    return `curl -F file=@${kind.name} ${address(run)}\n\ncurl -H 'content-type: ${kind.type}' \\\n  --data-binary @${kind.name} '${address(run)}?top=3'`;
  },
  JavaScript(run, kind) {
    const body = kind.text || kind.array
      ? `{\n  method: "POST",\n  headers: { "content-type": "application/json" },\n  body: JSON.stringify({ ${kind.text ? `text: ${quoted(at("text").value || "a fine film")}` : "array: rows"} }),\n}`
      : `{\n  method: "POST",\n  body: form, // new FormData(), form.append("file", file)\n}`;
    return `const answer = await fetch(\n  ${quoted(address(run))},\n  ${body.replaceAll("\n", "\n  ")},\n);\nconst { label, probabilities } = await answer.json();`;
  },
  Python(run, kind) {
    const body = kind.text
      ? `json={"text": ${quoted(at("text").value || "a fine film")}}`
      : kind.array ? `json={"array": rows}` : `files={"file": open(${quoted(kind.name)}, "rb")}`;
    return `import httpx\n\nanswer = httpx.post(\n    ${quoted(address(run))},\n    ${body},\n)\nprint(answer.json()["label"])`;
  },
};

function showCode() {
  const kind = KINDS[state.run.kind];
  at("code").textContent = CODE[state.language](state.run, kind);
  for (const tab of at("tabs").children) {
    const chosen = tab.textContent === state.language;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
  }
}

function makeTabs() {
  const names = Object.keys(CODE);
  for (const name of names) {
    const tab = document.createElement("button");
    Object.assign(tab, { type: "button", textContent: name, role: "tab" });
    tab.setAttribute("aria-controls", "code");
    tab.addEventListener("click", () => { state.language = name; showCode(); });
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      state.language = names[(names.indexOf(state.language) + step + names.length) % names.length];
      showCode();
      [...at("tabs").children].find((each) => each.textContent === state.language).focus();
    });
    at("tabs").append(tab);
  }
}

// Asking.

function trouble(line) {
  at("trouble").textContent = line;
  at("trouble").hidden = !line;
  if (line) at("answer").hidden = true;
}

let asked = 0;

async function ask(init) {
  const mine = ++asked;
  const begun = performance.now();
  let told;
  let status = 0;
  try {
    const answer = await fetch(address(), { method: "POST", ...init });
    status = answer.status;
    told = await answer.json();
  } catch {
    told = { error: "the service does not answer; is it still running?" };
  }
  if (mine !== asked) return;
  at("raw").hidden = false;
  at("json").textContent = JSON.stringify(told, null, 2);
  if (told.error) return trouble(told.error);
  trouble("");
  show(told, performance.now() - begun, status);
}

const percent = (share) => (share > 0.9999 ? "> 99.99 %" : share < 0.0001 ? "< 0.01 %" : `${(100 * share).toFixed(share > 0.1 ? 1 : 2)} %`);

function rows(told) {
  if (told.predictions) {
    return told.predictions.map((each) => [`${each.begin.toFixed(2)} to ${each.end.toFixed(2)} s: ${each.label}`, each.probability]);
  }
  // An object of JavaScript puts names such as "0" first, so the order is made again.
  const shares = Object.entries(told.probabilities ?? told.expected);
  return shares.sort((a, b) => b[1] - a[1]).slice(0, SHOWN);
}

function show(told, milliseconds) {
  const found = rows(told);
  const many = found.length === 1 ? "1 stretch of time" : `${found.length} stretches of time`;
  const best = told.predictions ? [many, null] : [told.label ?? found[0][0], found[0][1]];
  at("bars").className = told.predictions ? "" : "ranked";
  at("label").textContent = best[0];
  at("sure").textContent = best[1] === null ? "" : percent(best[1]);
  at("bars").replaceChildren(...found.map(([label, share]) => {
    const row = document.createElement("li");
    const [name, place, bar, number] = ["b", "div", "i", "span"].map((tag) => document.createElement(tag));
    name.textContent = label;
    name.title = label;
    bar.style.width = `${100 * share}%`;
    number.textContent = percent(share);
    place.append(bar);
    row.append(name, place, number);
    return row;
  }));
  const played = told.colour ? [`move ${told.move}, ${told.colour} to play`] : [];
  at("notes").textContent = [...played, ...(told.notes ?? [])].join("; ");
  const rest = Object.keys(told.probabilities ?? {}).length - SHOWN;
  at("took").textContent = `${rest > 0 ? `${rest} more labels; ` : ""}answered in ${milliseconds.toFixed(0)} ms`;
  at("answer").hidden = false;
}

function send(file) {
  if (!file) return;
  preview(file);
  const form = new FormData();
  form.append("file", file, file.name);
  ask({ body: form });
}

let shownUrl = "";

function preview(file) {
  URL.revokeObjectURL(shownUrl);
  shownUrl = URL.createObjectURL(file);
  at("preview").replaceChildren();
  at("wanted").textContent = file.name;
  if (state.run.kind === "pictures") {
    const image = new Image();
    image.alt = "";
    image.onload = () => { image.className = image.naturalWidth < SMALL ? "small" : ""; };
    image.onerror = () => image.remove();
    image.src = shownUrl;
    at("preview").append(image);
  } else if (state.run.kind === "sounds") {
    const audio = new Audio(shownUrl);
    audio.controls = true;
    at("preview").append(audio);
  }
}

function sendText() {
  const written = at("text").value;
  if (state.run.kind === "numbers") {
    let array;
    try { array = JSON.parse(written); } catch { return trouble("numbers such as [[0.1, 0.2], [0.3, 0.4]] are wanted"); }
    return ask({ headers: { "content-type": "application/json" }, body: JSON.stringify({ array }) });
  }
  ask({ headers: { "content-type": "application/json" }, body: JSON.stringify({ text: written }) });
}

// The run.

function choose(name) {
  asked += 1;
  state.run = state.runs.find((run) => run.name === name);
  const kind = KINDS[state.run.kind];
  document.title = `${name} · beak serve`;
  at("about").textContent = `${name}: ${state.run.input}. ${state.run.labels.length} labels, ${state.run.parameters.toLocaleString("en")} parameters, version ${state.run.version}.`;
  at("drop").hidden = Boolean(kind.text || kind.array);
  at("words").hidden = !at("drop").hidden;
  at("text-label").textContent = kind.array ? "Numbers, as JSON" : "A text";
  at("file").disabled = at("drop").hidden;
  at("file").accept = kind.accept ?? "";
  at("file").value = "";
  at("wanted").textContent = `Choose a ${state.run.kind === "go" ? "game record (SGF)" : state.run.takes}`;
  at("preview").replaceChildren();
  at("answer").hidden = true;
  at("raw").hidden = true;
  trouble(state.run.trouble ? `The run's file changed and cannot be read; the network before it answers. ${state.run.trouble}` : "");
  showCode();
}

function listen() {
  at("run").addEventListener("change", () => choose(at("run").value));
  at("file").addEventListener("change", () => send(at("file").files[0]));
  at("ask").addEventListener("submit", (event) => { event.preventDefault(); sendText(); });
  at("text").addEventListener("input", showCode);
  at("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) sendText();
  });
  document.addEventListener("dragover", (event) => { event.preventDefault(); at("drop").classList.add("over"); });
  document.addEventListener("dragleave", () => at("drop").classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    at("drop").classList.remove("over");
    if (!at("drop").hidden) send(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => { if (!at("drop").hidden) send(event.clipboardData.files[0]); });
  at("copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText(at("code").textContent);
    at("copy").textContent = "Copied";
    setTimeout(() => { at("copy").textContent = "Copy"; }, 1500);
  });
  at("copy").hidden = !navigator.clipboard; // only where the connection is safe
}

async function start() {
  makeTabs();
  const answer = await fetch("v1/runs");
  const told = await answer.json();
  if (told.error) return trouble(told.error);
  state.runs = told.runs;
  at("run").replaceChildren(...state.runs.map((run) => new Option(run.name, run.name)));
  at("choice").hidden = state.runs.length < 2;
  listen();
  choose(state.runs[0].name);
}

start();
