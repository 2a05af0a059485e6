"""From an input to all maps on the screen, in Chromium: the page of `beak look`.

    python benchmarks/look.py [--threads 2] [--times 50] [--only lecture]

A stroke of the pen (a stone on the board) is given, and the time is taken until every layer's
maps and the answers of it are drawn; the median of so many is told. The networks have their first
weights, which takes as long as trained ones.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FIGURES = {"lecture": 100.0, "resnet20": 400.0, "alphago-policy": None}
"""Milliseconds that are promised; alphago-policy is told beside."""

STROKES = """async (times) => {
  const seen = () => Number(document.documentElement.dataset.seen ?? 0);
  const canvas = document.querySelector('.draw, .board'), box = canvas.getBoundingClientRect();
  const at = (type, x, y) => canvas.dispatchEvent(new PointerEvent(type,
    {clientX: box.x + x, clientY: box.y + y, pointerId: 1, bubbles: true}));
  canvas.setPointerCapture = () => {};
  const board = canvas.classList.contains('board');
  if (!board) at('pointerdown', 20, 20);
  const found = [];
  for (let i = 0; i < times + 5; i++) {
    const before = seen(), begun = performance.now();
    at(board ? 'click' : 'pointermove', 20 + (i * 37) % 130, 20 + (i * 53) % 130);
    while (seen() === before) await new Promise(requestAnimationFrame);
    found.push(performance.now() - begun);
  }
  if (!board) at('pointerup', 20, 20);
  return found.slice(5);
}"""


def strokes(page: Any, times: int) -> list[float]:
    """Milliseconds from each of so many strokes to all maps on the screen; five go before."""
    found: list[float] = page.evaluate(STROKES, times)
    return found


def made(name: str, folder: Path) -> Path:
    """A run of the network with its first weights."""
    from beak.data.go_spec import MOVES, GoSpec
    from beak.data.picture_spec import PictureSpec
    from beak.network.catalogue import make_network
    from beak.network.initial import initial_parameters
    from beak.runs.model import Model, save_model

    ten = tuple("0123456789")
    spec: Any
    if name == "alphago-policy":
        spec, labels = GoSpec.of("alphago"), MOVES
    else:
        channels, side = (1, 28) if name == "lecture" else (3, 32)
        scale = (0.5,) * channels, (0.25,) * channels
        spec = PictureSpec("pictures", (channels, side, side), "stretch", 0, *scale)
        labels = ten
    network = make_network(name, spec.shape, len(labels))
    path = folder / f"{name}.safetensors"
    save_model(path, Model(network, spec, labels, initial_parameters(network, 0), {"name": name}))
    return path


@contextmanager
def looking(run: Path, threads: int) -> Iterator[str]:
    """The address at which ``beak look`` shows the run."""
    command = [sys.executable, "-m", "beak", "look", str(run), "--json", "--threads", str(threads)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["address"]
    finally:
        process.terminate()
        process.wait(20)


def measure(name: str, threads: int, times: int) -> float:
    """The median in milliseconds."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with looking(made(name, Path(folder)), threads) as address:
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(address)
            page.locator(".bars li").first.wait_for(state="attached")
            page.wait_for_timeout(1000)
            median = statistics.median(strokes(page, times))
        browser.close()
    return median


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--only", choices=tuple(FIGURES))
    asked = parser.parse_args()
    late = False
    for name in [asked.only] if asked.only else FIGURES:
        median, figure = measure(name, asked.threads, asked.times), FIGURES[name]
        promised = "" if figure is None else f" (at most {figure:.0f})"
        print(f"{name:16} {median:6.0f} ms{promised}", flush=True)
        late |= figure is not None and median > figure
    return int(late)


if __name__ == "__main__":
    sys.exit(main())
