"""``beak serve`` as a process: the answers of ``beak predict --json``, for every kind of input."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import numpy as np
import pytest
from PIL import Image

from beak.cli.group import run as beak
from beak.data.sounds import wav

SGF = "(;GM[1]SZ[19];B[pd];W[dp];B[pp];W[dd])"


@pytest.fixture(scope="module")
def service(runs):
    """A service of four kinds of runs, and a client that asks it."""
    words = [str(runs(kind)) for kind in ("digits", "sound", "text", "go")]
    command = [sys.executable, "-m", "beak", "serve", *words, "--port", "0", "--json"]
    process = subprocess.Popen([*command, "--threads", "1"], stdout=subprocess.PIPE, text=True)
    told = json.loads(process.stdout.readline())
    with httpx2.Client(base_url=told["address"], timeout=20) as client:
        yield client
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    process.stdout.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    """One raw file of each kind."""
    folder = tmp_path_factory.mktemp("files")
    numbers = np.random.default_rng(0)
    found = {"digits": folder / "six.png", "sound": folder / "yes.wav",
             "text": folder / "film.txt", "go": folder / "game.sgf"}  # fmt: skip
    picture = numbers.integers(0, 256, (45, 37, 3), dtype=np.uint8)
    Image.fromarray(picture).save(found["digits"])
    found["sound"].write_bytes(wav(numbers.normal(0, 3000, 6000).astype("<i2"), 8000))
    found["text"].write_text("a fine film")
    found["go"].write_text(SGF)
    return found


def predicted(capsys, run: Path, *words: str) -> list[dict]:
    """What ``beak predict --json`` prints."""
    capsys.readouterr()
    assert beak(["predict", str(run), *words, "--json", "--threads", "1"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("kind", ["digits", "sound", "text", "go"])
@pytest.mark.parametrize("way", ["form", "raw", "json"])
def test_a_raw_file_is_answered_as_predict_json_answers_it(service, runs, files, capsys, kind, way):
    path, content = files[kind], files[kind].read_bytes()
    (wanted,) = predicted(capsys, runs(kind), str(path))
    address = f"/v1/{kind}/predict"
    if way == "form":
        answer = service.post(address, files={"file": (path.name, content)})
    elif way == "raw":
        answer = service.post(address, content=content, params={"name": path.name})
    else:
        data = base64.b64encode(content).decode()
        answer = service.post(address, json={"data": data, "name": path.name})
    assert answer.status_code == 200, answer.text
    assert answer.json() == wanted | {"input": path.name}
