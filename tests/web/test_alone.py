"""The page as one file, opened from disk in a real Chromium that has no network."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from beak.cli.group import run as beak
from beak.data.sounds import wav
from beak.runs.run import load
from tests.web.browser import CHROMIUM, chromium

pytest.importorskip("playwright.sync_api", reason="needs the extra dev")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here"),
]


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


def told(page):
    return page.locator("#about").inner_text()


def test_from_a_number_down_to_the_pixels_and_back_without_a_server(opened):
    page = opened("digits", "#layer=conv2&cell=3,4,5")
    page.locator("#detail .window").first.wait_for()
    assert "conv2[3, 4, 5]" in page.locator("#detail h2").inner_text()
    page.locator("#detail .numbers a").first.click()
    page.locator("#detail h2", has_text="pool1[").wait_for()
    page.locator("#detail .numbers a").first.click()
    page.locator("#detail h2", has_text="conv1[").wait_for()
    page.get_by_text("computed in this page").wait_for()
    page.go_back()
    page.locator("#detail h2", has_text="pool1[").wait_for()


EXAMPLES = ("--data", "digits")


def test_what_needs_the_data_is_there_if_the_data_was(opened):
    page = opened("digits", "#layer=conv1&tab=patches", *EXAMPLES)
    page.locator("#detail .patches canvas").first.wait_for()
    page.get_by_role("button", name="Dead or alike").click()
    page.locator("#detail table a", has_text="conv2").wait_for()
    page.get_by_label("or one of the examples").select_option("3")
    page.get_by_text("digits[").first.wait_for()


def test_what_needs_the_data_says_so_if_it_was_not(opened):
    page = opened("digits", "#layer=conv1&tab=patches")
    page.get_by_text("this file was written without the run's examples").wait_for()
    assert page.get_by_role("button", name="Dead or alike").is_hidden()
    assert "without the run's examples" in page.locator("#alone").inner_text()


@pytest.mark.parametrize("tab", ["filters", "looks", "twin"])
def test_each_tab_of_a_layer_is_computed_in_the_page(opened, tab):
    page = opened("digits", f"#layer=conv1&tab={tab}")
    page.locator("#detail .tab-body canvas").first.wait_for(timeout=60_000)


@pytest.mark.parametrize("method", ["integrated", "gradient", "cam", "occlusion"])
def test_what_moved_an_answer_is_computed_in_the_page(opened, method):
    page = opened("digits", f"#answer=3&method={method}")
    page.locator("#detail figcaption", has_text="orange speaks for it").wait_for(timeout=60_000)


def shares(page):
    return page.locator(".bars .share").all_inner_texts()


def percents(run, raw):
    """The best answers as the page writes them."""
    found = sorted(run.predict(raw).probabilities.values(), reverse=True)
    return [f"{100 * p:.{1 if p < 0.0995 else 0}f} %" if p >= 0.0005 else "0 %" for p in found][:10]


def test_a_sentence_is_answered_as_it_is_typed(opened, runs):
    page = opened("text")
    page.get_by_label("A sentence").fill("a fine film")
    page.locator(".read li", has_text="film").wait_for()
    assert sorted(shares(page)) == sorted(percents(load(runs("text")), "a fine film"))
    page.locator(".bars button").first.click()
    assert page.locator(".words span").first.inner_text() == "a"


def test_a_recording_is_answered_as_the_engine_answers(opened, runs):
    page = opened("sound")
    tone = wav((9000 * np.sin(np.arange(6400) / 3)).astype(np.int16), 8000)
    before = shares(page)
    file = {"name": "a.wav", "mimeType": "audio/wav", "buffer": tone}
    page.locator("#file").set_input_files(file)
    settled(page)
    assert shares(page) != before
    assert sorted(shares(page)) == sorted(percents(load(runs("sound")), tone))


def test_stones_are_set_and_a_record_is_stepped_through(opened, runs):
    page = opened("small go")
    record = b"(;SZ[19];B[dd];W[pp];B[dp])"
    page.locator("#file").set_input_files({"name": "a.sgf", "mimeType": "", "buffer": record})
    page.get_by_text("after move 0 of 3; played D16").wait_for()
    page.get_by_label("One move on").click()
    page.get_by_text("after move 1 of 3; played Q4").wait_for()
    settled(page)
    assert shares(page) == percents(load(runs("small go")), (record, 2))
    page.locator(".board").click(position={"x": 60, "y": 60})
    page.get_by_text("Black to move").wait_for()


def test_inputs_that_were_given_are_in_the_file(opened, tmp_path):
    Image.new("L", (28, 28), 200).save(tmp_path / "grey.png")
    page = opened("digits", "", "--input", str(tmp_path / "grey.png"))
    page.locator("option", has_text="grey.png").wait_for(state="attached")


@pytest.mark.parametrize("kind", ["digits", "text", "sound"])
def test_what_cannot_be_read_is_told_in_one_line(opened, kind):
    page = opened(kind)
    if kind == "text":
        page.evaluate("document.querySelector('#sentence').removeAttribute('maxlength')")
        page.get_by_label("A sentence").fill("x " * 40_000)
    else:
        page.locator("#file").set_input_files({"name": "a", "mimeType": "", "buffer": b"no"})
    page.locator("#trouble").wait_for()
    assert len(page.locator("#trouble").inner_text()) < 100


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1920])
def test_it_fits_every_width_in_light_and_dark(opened, width, scheme):
    page = opened("digits", "#layer=conv2&cell=3,4,5", width=width, scheme=scheme)
    page.locator("#detail .window").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert (sum(map(int, re.findall(r"\d+", ink)[:3])) > 400) == (scheme == "dark")


def test_where_a_worker_is_forbidden_the_page_computes_itself(opened, file, browser):
    text = file("digits").read_text().replace("worker-src blob:", "worker-src 'none'")
    alone = file("digits").with_name("noworker.html")
    alone.write_text(text)
    page = browser.new_page()
    page.goto(alone.as_uri())
    page.locator(".bars li").first.wait_for()
    before = shares(page)
    draw(page)
    assert shares(page) != before
    page.close()


def test_a_network_that_is_too_large_is_refused_with_the_files_size(
    runs, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("beak.web.alone.LARGEST_FILE", 700_000)
    out = tmp_path / "a.html"
    assert beak(["look", str(runs("digits")), "--html", str(out)]) == 2
    said = capsys.readouterr().err
    assert re.search(r"--html: the file of digits would have \d MB; up to 1 MB", said)
    assert "Traceback" not in said
    assert not out.exists()


def test_an_input_without_a_file_is_a_wrong_call(runs, capsys):
    assert beak(["look", str(runs("digits")), "--input", "a.png"]) == 2
    assert "--html" in capsys.readouterr().err
