"""onnxruntime-web in Chromium: an ONNX file's answers as a web page gets them.

The npm package is fetched once through npm, into build/, and served from this machine alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

VERSION = "1.30.0"
SUM = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"
FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
PLACE = Path(__file__).parents[1] / "build" / f"onnxruntime-web-{VERSION}"
TYPES = {".mjs": "text/javascript", ".wasm": "application/wasm"}
PAGE = b"""<!doctype html><meta charset="utf-8"><title>onnxruntime-web</title>
<script type="module">
import * as ort from "/ort.wasm.min.mjs";
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = "/";
const bytes = async (path) => (await fetch(path)).arrayBuffer();
const arrays = { uint8: Uint8Array, int32: Int32Array, float32: Float32Array };
window.load = async () => {
  window.session = await ort.InferenceSession.create(await bytes("/model"));
};
window.ask = async (name, type, shape) => {
  const input = new ort.Tensor(type, new arrays[type](await bytes("/input")), shape);
  const { probabilities } = await session.run({ [name]: input });
  await fetch("/output", { method: "POST", body: probabilities.data });
  return probabilities.dims;
};
window.ready = true;
</script>"""


class MissingError(Exception):
    """Why there is no onnxruntime-web or no browser here, in a line."""


def package() -> Path:
    """The folder with the package's files, fetched where they are not there yet."""
    if all((PLACE / name).is_file() for name in FILES):
        return PLACE
    npm = shutil.which("npm")
    if npm is None:
        raise MissingError("npm is not installed, which fetches onnxruntime-web")
    PLACE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=PLACE.parent) as folder:
        command = [npm, "pack", f"onnxruntime-web@{VERSION}", "--silent", "--ignore-scripts"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
        found = list(Path(folder).glob("*.tgz"))
        if done.returncode or not found:
            said = (done.stderr.strip() or done.stdout.strip() or "no answer").splitlines()[-1]
            raise MissingError(f"npm does not get onnxruntime-web here: {said[:200]}")
        if hashlib.sha256(found[0].read_bytes()).hexdigest() != SUM:
            raise MissingError(f"onnxruntime-web {VERSION} is not the package that it was")
        beside = Path(folder) / "files"
        beside.mkdir()
        with tarfile.open(found[0]) as archive:
            for name in FILES:
                source = archive.extractfile(f"package/dist/{name}")
                assert source is not None
                (beside / name).write_bytes(source.read())
        if not PLACE.exists():  # another process may have been quicker
            os.replace(beside, PLACE)
    return PLACE


def chromium() -> str:
    """Where Chromium is."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise MissingError("there is no Chromium here")
    return found


class Server(ThreadingHTTPServer):
    """The package, a page, the model and the batch that is asked about; on loopback alone."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.held: dict[str, bytes] = {"/": PAGE}
        self.kinds = {"/": "text/html"}
        for name in FILES:
            self.held[f"/{name}"] = (package() / name).read_bytes()
            self.kinds[f"/{name}"] = TYPES[Path(name).suffix]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(BaseHTTPRequestHandler):
    """Gives what the server holds; takes one answer."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.server.held.get(self.path)
        self._reply(404 if body is None else 200, body or b"")

    def do_POST(self) -> None:
        self.server.held["/output"] = self.rfile.read(int(self.headers["Content-Length"]))
        self._reply(200, b"")

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        kind = self.server.kinds.get(self.path, "application/octet-stream")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


Answers = Callable[[np.ndarray], np.ndarray]


@contextmanager
def browser() -> Iterator[Callable[[bytes, str], Answers]]:
    """A browser; gives a function: (ONNX file, its input's name) -> inputs to probabilities."""
    from playwright.sync_api import sync_playwright

    path, server = chromium(), Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with sync_playwright() as driver:
            started = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
            yield lambda made, name: _answers(server, started, made, name)
            started.close()
    finally:
        server.shutdown()
        server.server_close()


def _answers(server: Server, started: object, made: bytes, name: str) -> Answers:
    server.held["/model"] = made
    page = started.new_page()  # type: ignore[attr-defined]
    page.goto(server.address)
    page.wait_for_function("window.ready")
    page.evaluate("load()")

    def ask(inputs: np.ndarray) -> np.ndarray:
        server.held["/input"] = np.ascontiguousarray(inputs).tobytes()
        words = json.dumps([name, inputs.dtype.name, list(inputs.shape)])
        shape = page.evaluate(f"ask(...{words})")
        return np.frombuffer(server.held["/output"], np.float32).reshape(shape)

    return ask
