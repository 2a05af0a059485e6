"""The page as one file, opened from disk in a real Chromium that has no network."""

from __future__ import annotations

import numpy as np
import pytest

from beak.cli.group import run as beak
from beak.runs.run import load
from tests.web.browser import CHROMIUM, chromium

pytest.importorskip("playwright.sync_api", reason="needs the extra dev")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def file(runs, tmp_path_factory):
    """A function: the file that ``beak look --html`` writes of a kind's run."""
    folder, known = tmp_path_factory.mktemp("alone"), {}

    def one(kind: str, *more: str):
        if (kind, more) not in known:
            path = folder / f"{kind}{len(known)}.html"
            assert beak(["look", str(runs(kind)), "--html", str(path), *more]) == 0
            known[kind, more] = path
        return known[kind, more]

    return one


@pytest.fixture
def opened(browser, file):
    """A function: a page on a kind's file. It may ask nobody for anything, and nothing may fail."""
    contexts, wrong = [], []

    def one(kind, place="", *more, width=1280, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            reduced_motion="reduce",
            offline=True,
        )
        contexts.append(context)
        context.route("http*://**", lambda route: route.abort())
        page = context.new_page()
        path = file(kind, *more)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("request", lambda asked: wrong.append(asked.url) if outside(asked.url) else None)
        page.goto(path.as_uri() + place)
        page.locator(".bars li").first.wait_for(state="attached")
        return page

    one.wrong = wrong
    yield one
    for context in contexts:
        context.close()
    assert not wrong


def outside(url: str) -> bool:
    return not (url.startswith(("blob:", "data:")) or (url.startswith("file:") and ".html" in url))


DRAWN = """async () => {
  const canvas = document.querySelector('.draw'), context = canvas.getContext('2d');
  const scaled = context.getImageData(0, 0, canvas.width, canvas.height).data;
  return [canvas.height, canvas.width, Array.from(scaled).filter((_, i) => i % 4 === 0)];
}"""
SEEN = "Number(document.documentElement.dataset.seen ?? 0)"


def draw(page):
    """A seven, by the mouse; the pixels of the drawing (H, W)."""
    box = page.locator(".draw").bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 40, steps=3)
    page.mouse.move(box["x"] + 70, box["y"] + 140, steps=4)
    page.mouse.up()
    settled(page)
    high, wide, values = page.evaluate(DRAWN)
    return np.array(values, np.uint8).reshape(high, wide)


def settled(page):
    """Wait until what was given has been seen and nothing new comes."""
    before = -1
    while (now := page.evaluate(SEEN)) != before or now == 0:
        before = now
        page.wait_for_timeout(150)


def test_the_file_of_the_lectures_network_is_small(file):
    assert file("digits").stat().st_size < 2_000_000


def test_what_is_drawn_is_answered_as_the_engine_answers(opened, runs):
    page = opened("digits")
    pixels = draw(page)
    run = load(runs("digits"))
    wanted = run.predict(pixels).probabilities
    shares = page.locator(".bars .share").all_inner_texts()
    assert pixels.max() == 255
    found = [float(share.removesuffix(" %")) / 100 for share in shares]
    assert found == pytest.approx([wanted[digit] for digit in "0123456789"], abs=0.006)
