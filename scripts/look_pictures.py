"""Make the pictures of docs/look.md and README anew from the page as it is.

    python scripts/look_pictures.py RUN [--words RUN] [--out docs/images]

RUN: trained on the digits (``beak train digits``); its kept epochs are set beside it. ``--words``:
trained on sentences, where that picture is wanted too. Needs the extra dev and Chromium.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BEAK = [sys.executable, "-m", "beak", "look"]


@contextmanager
def served(run: Path) -> Iterator[str]:
    """The address at which ``beak look`` shows the run."""
    command = [*BEAK, str(run), "--json", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["address"]
    finally:
        process.terminate()
        process.wait(20)


def shot(
    browser: Any, address: str, path: Path, act: Any, width: int = 1280, whole: bool = True
) -> None:
    """One picture; ``act(page)``: what is done before, until all that is wanted stands there.

    ``whole``: the page to its end, else as much as the window shows.
    """
    page = browser.new_page(
        viewport={"width": width, "height": 820}, color_scheme="light", reduced_motion="reduce"
    )
    page.goto(address)
    page.locator(".bars li").first.wait_for(state="attached")
    act(page)
    page.wait_for_timeout(600)
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    page.screenshot(path=path, full_page=whole)
    page.close()
    print(path)


def nought(page: Any) -> None:
    """Draw a nought and ask what spoke for it."""
    box = page.locator(".draw").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    across, down = box["width"] * 0.17, box["height"] * 0.31
    turn = [(x + across * c, y + down * s) for c, s in ring()]
    page.get_by_role("button", name="clear").click()
    page.mouse.move(*turn[0])
    page.mouse.down()
    for place in turn[1:]:
        page.mouse.move(*place)
    page.mouse.up()
    page.wait_for_timeout(1500)
    page.locator(".bars .best button").click()
    page.locator("#detail figcaption", has_text="orange speaks for it").wait_for()


def ring(many: int = 24) -> list[tuple[float, float]]:
    """Places on a circle, from -1 to 1."""
    from math import cos, pi, sin

    return [(cos(2 * pi * i / many), sin(2 * pi * i / many)) for i in range(many + 1)]


def products(page: Any) -> None:
    """Until the products stand there."""
    page.locator("#detail .numbers").first.wait_for()


def difference(page: Any) -> None:
    """Until the first layer's difference stands there."""
    page.locator('[data-pair="conv1"] canvas').nth(2).wait_for()


def words(page: Any) -> None:
    """Until the strongest words stand there."""
    page.locator("#detail .phrase").first.wait_for(timeout=120_000)


def main() -> int:
    """All pictures, each said as it is made."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--words", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    asked = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with served(asked.run) as address:
            place = f"{address}#layer=conv1&cell=5,9,8&input=example-0"
            shot(browser, place, asked.out / "look.png", products)
            place = f"{address}#beside=run:epoch%200&input=example-0"
            shot(browser, place, asked.out / "look-beside.png", difference, 1180, False)
        file = Path(folder, "digits.html")
        subprocess.run([*BEAK, str(asked.run), "--html", str(file)], check=True)
        shot(browser, file.as_uri(), asked.out / "look-file.png", nought)
        if asked.words is not None:
            with served(asked.words) as address:
                place = f"{address}#layer=parallel1.branch1.conv1&tab=patches"
                shot(browser, place, asked.out / "look-words.png", words)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
