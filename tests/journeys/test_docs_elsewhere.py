"""The docs' examples from other languages run as they stand, but for the service's port."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import beak
from beak.cli.group import run as command
from tests.journeys.test_docs import BLOCK, ELSEWHERE, PAGES, ROOT
from tests.web.browser import CHROMIUM, chromium

pytestmark = pytest.mark.slow
RUN = ("sh", "js", "py", "py", "c", "c", "html", "py")
"""Kinds of the blocks of serve.md and export.md, in their order: each has its test below."""


def blocks(page: str, kind: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text()
    return [content for name, content in BLOCK.findall(text) if name == kind]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where the examples run: a run, its exports, its weights alone, and pictures."""
    where = tmp_path_factory.mktemp("elsewhere")
    before = os.getcwd()
    os.chdir(where)
    try:
        words = ["train", "digits", "--epochs", "1", "--no-baseline", "--out", "runs/digits"]
        assert command(words) == 0
        assert command(["export", "runs/digits", "digits.onnx"]) == 0
        assert command(["export", "runs/digits", "digits.c"]) == 0
        shutil.copy("runs/digits/model.safetensors", "model.safetensors")
        y, x = np.mgrid[:90, :120]
        ring = np.abs(np.hypot(y - 55, x - 60) - 25) < 5
        six = ring | ((np.abs(x - 38 - (30 - y) / 4) < 5) & (y > 8) & (y < 60))
        Image.fromarray(np.where(six, 20, 250).astype(np.uint8)).save("six.png")
        Image.open("six.png").convert("RGB").save("photo.jpg", quality=95)
        yield where
    finally:
        os.chdir(before)


@pytest.fixture(scope="module")
def address(place):
    with contextlib.ExitStack() as held:
        words = [sys.executable, "-m", "beak", "serve", "runs/digits", "--port", "0", "--json"]
        process = held.enter_context(subprocess.Popen(words, stdout=subprocess.PIPE, cwd=place))
        held.callback(process.terminate)
        yield json.loads(process.stdout.readline())["address"].rstrip("/")


@pytest.fixture(scope="module")
def trained(place):
    return beak.load(place / "runs" / "digits")


def at(address: str, text: str) -> str:
    assert "http://127.0.0.1:8000" in text
    return text.replace("http://127.0.0.1:8000", address)


def test_every_example_of_another_language_is_run_here():
    kinds = [
        kind
        for page in ("serve.md", "export.md")
        for kind, _ in BLOCK.findall((ROOT / "docs" / page).read_text())
        if kind in ELSEWHERE
    ]
    assert sorted(kinds) == sorted(RUN)
    for page in PAGES:
        if page.name not in ("serve.md", "export.md"):
            assert not {kind for kind, _ in BLOCK.findall(page.read_text())} & set(ELSEWHERE)


def test_curl(place, address, trained):
    (session,) = blocks("serve.md", "sh")
    (line,) = [line[2:] for line in session.splitlines() if line.startswith("$ curl ")]
    done = subprocess.run(at(address, line), shell=True, capture_output=True, text=True, cwd=place)
    answer = json.loads(done.stdout)
    wanted = trained.predict(place / "six.png")
    assert answer["input"] == "six.png"
    assert answer["label"] == wanted.label
    assert answer["probabilities"] == wanted.probabilities
    assert answer.keys() == {"input", "label", "probabilities"}


def said(text: str) -> str:
    """What a piece of Python prints."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(text, "the docs", "exec"), {})
    return out.getvalue().strip()


def test_python_over_http(place, address, trained):
    pytest.importorskip("httpx")
    (text,) = blocks("serve.md", "py")
    assert said(at(address, text)) == trained.predict(place / "six.png").label


def test_any_python_program_and_openvino(place, trained):
    asked, alone = blocks("export.md", "py")
    assert said(alone) == trained.predict(place / "photo.jpg").label
    pytest.importorskip("openvino")
    pixels = np.asarray(Image.open(place / "photo.jpg"))[None]
    names = {"pixels": pixels}
    exec(compile(asked, "the docs", "exec"), names)
    wanted = list(trained.predict(pixels[0]).probabilities.items())
    found = dict(zip(trained.labels, names["shares"][0].tolist(), strict=True))
    assert {label: pytest.approx(share, abs=1e-5) for label, share in wanted} == found


def compiled(place: Path, name: str, text: str) -> Path:
    (place / f"{name}.c").write_text(text)
    flags = ["-std=c99", "-Wall", "-Werror", "-pedantic"]
    subprocess.run(["cc", *flags, "-o", name, f"{name}.c", "-lm"], cwd=place, check=True)
    return place / name


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_c(place, trained):
    declared, program = blocks("export.md", "c")
    found = subprocess.run([compiled(place, "main", program)], capture_output=True, text=True)
    assert found.stdout == trained.predict(np.zeros((120, 90, 3), np.uint8)).label + "\n"
    both = f'#include "digits.c"\n{declared}int main(void) {{ return !beak_labels[0]; }}\n'
    assert subprocess.run([compiled(place, "both", both)]).returncode == 0


@pytest.fixture(scope="module")
def browser():
    pytest.importorskip("playwright.sync_api", reason="needs the extra dev")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    with chromium() as opened:
        yield opened


def test_javascript_in_a_page_of_the_service(place, address, browser, trained):
    (text,) = blocks("serve.md", "js")
    page = browser.new_page()
    page.goto(address)
    page.evaluate("document.body.innerHTML = '<input type=file id=given>'")
    page.set_input_files("#given", str(place / "six.png"))
    program = f"async (input) => {{ {at(address, text)} return [label, probabilities]; }}"
    label, probabilities = page.evaluate(program, page.query_selector("#given"))
    wanted = trained.predict(place / "six.png")
    assert (label, probabilities) == (wanted.label, wanted.probabilities)
    page.close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_onnxruntime_web_in_a_page(place, browser, trained, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import browser as fetched

    try:
        package = fetched.package()
    except fetched.MissingError as error:
        pytest.skip(str(error))
    for name in fetched.FILES:
        shutil.copy(package / name, place / name)
    (text,) = blocks("export.md", "html")
    (place / "index.html").write_text(text)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(place)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = browser.new_page()
    failed: list[str] = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    try:
        page.goto(f"http://127.0.0.1:{server.server_address[1]}/index.html")
        page.wait_for_function("document.getElementById('file').onchange !== null")
        for name in ("six.png", "photo.jpg"):
            page.evaluate("document.getElementById('answer').textContent = ''")
            page.set_input_files("#file", str(place / name))
            page.wait_for_function("document.getElementById('answer').textContent !== ''")
            wanted = trained.predict(place / name).label
            assert page.inner_text("#answer") == wanted
    finally:
        page.close()
        server.shutdown()
        server.server_close()
        sys.modules.pop("browser", None)
    assert failed == []
