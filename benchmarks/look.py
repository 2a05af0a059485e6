"""From an input to all maps on the screen, in Chromium: the page of `beak look`.

    python benchmarks/look.py [--threads 2] [--times 50] [--only lecture] [--how served|file]

A stroke of the pen (a stone on the board) is given, and the time is taken until every layer's
maps and the answers of it are drawn; the median of so many is told, served and as one file
(`--html`), which computes by itself; of that also the size, and the time from opening it to the
first maps. The networks have their first weights, which takes as long as trained ones. What takes
long is asked less often, about a minute each.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FIGURES = {"lecture": 100.0, "resnet20": 400.0, "alphago-policy": None}
"""Milliseconds that are promised of the served page; alphago-policy is told beside."""
WEIGHT = 400_000
"""Bytes that the page may have, without the run."""
FIRST = 5
"""Strokes that are not counted: what is compiled as it runs is ready after them."""
PATIENCE = 60_000
"""Milliseconds after which no further stroke is made."""

STROKES = """async ([times, first, patience]) => {
  const seen = () => Number(document.documentElement.dataset.seen ?? 0);
  const canvas = document.querySelector('.draw, .board'), box = canvas.getBoundingClientRect();
  const at = (type, x, y) => canvas.dispatchEvent(new PointerEvent(type,
    {clientX: box.x + x, clientY: box.y + y, pointerId: 1, bubbles: true}));
  canvas.setPointerCapture = () => {};
  const board = canvas.classList.contains('board');
  if (!board) at('pointerdown', 20, 20);
  const found = [], end = performance.now() + patience;
  for (let i = 0; i < times + first && (performance.now() < end || i <= first); i++) {
    const before = seen(), begun = performance.now();
    at(board ? 'click' : 'pointermove', 20 + (i * 37) % 130, 20 + (i * 53) % 130);
    while (seen() === before) await new Promise(requestAnimationFrame);
    found.push(performance.now() - begun);
  }
  if (!board) at('pointerup', 20, 20);
  return found.slice(first);
}"""


def strokes(page: Any, times: int) -> list[float]:
    """Milliseconds from each of so many strokes to all maps on the screen; some go before."""
    found: list[float] = page.evaluate(STROKES, [times, FIRST, PATIENCE])
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


@contextmanager
def written(run: Path) -> Iterator[str]:
    """The address of the file that ``beak look --html`` writes."""
    path = run.with_suffix(".html")
    command = [sys.executable, "-m", "beak", "look", str(run), "--html", str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    yield path.as_uri()


def measure(browser: Any, name: str, how: str, threads: int, times: int) -> tuple[float, str]:
    """The median in milliseconds, and what else there is to tell."""
    with tempfile.TemporaryDirectory() as folder:
        run = made(name, Path(folder))
        place = looking(run, threads) if how == "served" else written(run)
        with place as address:
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            begun = time.perf_counter()
            page.goto(address)
            page.locator(".bars li").first.wait_for(state="attached", timeout=300_000)
            opened = time.perf_counter() - begun
            page.wait_for_timeout(1000)
            found = strokes(page, times)
            page.close()
        told = f"median of {len(found)}, {opened:.1f} s from opening to the first maps"
        if how == "file":
            told += f", {run.with_suffix('.html').stat().st_size / 1e6:.1f} MB"
    return statistics.median(found), told


def weight() -> int:
    """Bytes of all files of the served page."""
    from beak.web.app import page_files

    return sum(path.stat().st_size for path in page_files().values())


def main() -> int:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--only", choices=tuple(FIGURES))
    parser.add_argument("--how", choices=("served", "file"))
    asked = parser.parse_args()
    late = weight() > WEIGHT
    print(f"the page has {weight() / 1000:.0f} KB (at most {WEIGHT / 1000:.0f})", flush=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for how in [asked.how] if asked.how else ("served", "file"):
            for name in [asked.only] if asked.only else FIGURES:
                median, told = measure(browser, name, how, asked.threads, asked.times)
                figure = FIGURES[name] if how == "served" else None
                promised = "" if figure is None else f" (at most {figure:.0f})"
                print(f"{how:7}{name:15} {median:6.0f} ms{promised}; {told}", flush=True)
                late |= figure is not None and median > figure
        browser.close()
    return int(late)


if __name__ == "__main__":
    sys.exit(main())
