"""The page in a real Chromium: drawn on, clicked through to the pixels, by mouse and keyboard."""

from __future__ import annotations

import re

import numpy as np
import pytest

from beak.data.sounds import wav

pytestmark = pytest.mark.slow


CHANGED = """before => [...document.querySelectorAll('.bars .share')]
    .map(e => e.textContent).join() !== before"""


def shares(page) -> list[str]:
    return page.locator(".bars .share").all_inner_texts()


def test_every_layer_stands_there_with_its_shape_and_weights(opened):
    page = opened("digits")
    names = page.locator(".column h2").all_inner_texts()
    assert names == ["input", "conv1", "pool1", "conv2", "pool2", "flatten1", "dense1", "dense2",
                     "answer"]  # fmt: skip
    column = page.locator('.column[data-layer="conv2"]').inner_text()
    assert "50 × 11 × 11" in column
    assert "11,300 weights" in column


def test_drawing_changes_maps_and_answers_as_it_goes(opened):
    page = opened("digits")
    before, picture = shares(page), page.locator('[data-layer="conv1"] canvas').screenshot()
    box = page.locator(".draw").bounding_box()
    page.get_by_role("button", name="clear").click()
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 130, steps=6)
    page.mouse.up()
    page.wait_for_function(CHANGED, arg=",".join(before))
    assert page.locator('[data-layer="conv1"] canvas').screenshot() != picture


def test_from_an_answer_down_to_the_pixels_and_back(opened):
    page = opened("digits", "#layer=conv2&cell=3,4,5")
    page.locator("#detail .window").first.wait_for()
    assert "conv2[3, 4, 5]" in page.locator("#detail h2").inner_text()
    page.locator("#detail .numbers a").first.click()
    page.wait_for_url(re.compile("layer=pool1"))
    page.locator("#detail .numbers a").first.click()
    page.wait_for_url(re.compile("layer=conv1"))
    page.get_by_text("sum of inputs × weights").first.wait_for()
    heading = page.locator("#detail h2")
    assert "conv1[" in heading.inner_text()
    assert page.locator("#detail .numbers a").count() == 0  # below are the input's own pixels
    page.go_back()
    page.wait_for_url(re.compile("layer=pool1"))
    page.go_back()
    page.wait_for_url(re.compile("layer=conv2"))


def test_the_written_out_sum_is_the_number_on_the_map(opened):
    page = opened("digits", "#layer=conv1&cell=0,10,12")
    page.locator("#detail .numbers").first.wait_for()
    products = page.locator("#detail .window-row table").nth(2).locator("td").all_inner_texts()
    total = sum(float(text.replace("−", "-")) for text in products)
    written = page.locator("#detail .total").inner_text().removeprefix("sum ")
    assert total == pytest.approx(float(written.replace("−", "-")), abs=0.02)


def test_a_click_on_a_map_opens_that_number(opened):
    page = opened("digits")
    canvas = page.locator('[data-layer="conv1"] canvas')
    canvas.hover(position={"x": 10, "y": 10})
    assert re.match(r"conv1\[0, \d+, \d+\] = ", page.locator("#tip").inner_text())
    canvas.click(position={"x": 10, "y": 10})
    page.locator("#detail h2").wait_for()
    assert "conv1[0, " in page.locator("#detail h2").inner_text()


def test_the_keyboard_alone_opens_a_number_and_closes_it(opened):
    page = opened("digits")
    page.locator('[data-layer="pool1"] canvas').focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    assert page.locator("#tip").inner_text().startswith("pool1[0, 2, 1] = ")
    page.keyboard.press("Enter")
    page.get_by_text("pool1[0, 2, 1]").first.wait_for()
    page.keyboard.press("Escape")
    page.locator("#detail").wait_for(state="hidden")


@pytest.mark.parametrize("tab", ["filters", "patches", "looks", "twin"])
def test_each_tab_of_a_layer_shows_pictures(opened, tab):
    page = opened("digits", f"#layer=conv1&tab={tab}")
    page.locator("#detail .tab-body canvas").first.wait_for(timeout=30_000)


@pytest.mark.parametrize("method", ["integrated", "gradient", "cam", "occlusion"])
def test_what_moved_an_answer(opened, method):
    page = opened("digits", f"#answer=3&method={method}")
    page.locator("#detail figcaption", has_text="orange speaks for it").wait_for()


def test_the_walk_goes_through_ten_steps_with_the_lectures_numbers(opened):
    page = opened("digits", "#walk=1")
    titles = []
    for step in range(10):
        titles.append(page.locator("#walk h2").inner_text())
        if step == 0:
            map_ = page.get_by_role("table", name="the map").locator("td").all_inner_texts()
            assert "".join(map_) == "3−1−3−1−310−3−3−3013−2−2−1"
        if step == 4:
            counts = page.locator("#walk .plain td").all_inner_texts()
            assert counts == ["576", "144", "9"]
            assert "1, 2, 3, 7, 8, 9, 13, 14, 15" in page.locator("#walk .result").inner_text()
        page.locator(".walk-foot button").last.click()
    assert len(set(titles)) == 10
    page.locator("#stage").wait_for()


def test_a_large_network_is_folded_and_unfolds(opened):
    page = opened("colour")
    columns = page.locator(".column").count()
    assert columns < 16
    page.locator(".folded h2 button").nth(1).click()
    assert page.locator(".column").count() > columns
    page.locator(".fold").first.click()
    assert page.locator(".column").count() == columns


def test_a_sentence_is_read_as_it_is_typed(opened):
    page = opened("text")
    page.get_by_label("A sentence").fill("a fine film")
    page.locator(".read li", has_text="film").wait_for()
    page.locator(".bars button").first.click()
    assert page.locator(".words span").first.inner_text() == "a"


def test_stones_are_set_and_a_record_is_stepped_through(opened):
    page = opened("go")
    before = shares(page)
    page.locator(".board").click(position={"x": 60, "y": 60})
    page.get_by_text("White to move").wait_for()
    assert shares(page) != before
    record = {"name": "a.sgf", "mimeType": "", "buffer": b"(;SZ[19];B[dd];W[pp];B[dp])"}
    page.locator("#file").set_input_files(record)
    page.get_by_text("after move 0 of 3; played D16").wait_for()
    page.get_by_label("One move on").click()
    page.get_by_text("after move 1 of 3; played Q4").wait_for()


def test_a_sound_is_opened(opened):
    page = opened("sound")
    before = shares(page)
    tone = (9000 * np.sin(np.arange(6400) / 3)).astype(np.int16)
    page.locator("#file").set_input_files(
        {"name": "a.wav", "mimeType": "audio/wav", "buffer": wav(tone, 8000)}
    )
    page.wait_for_function(CHANGED, arg=",".join(before))


def test_a_file_that_is_no_picture_is_told_in_one_line(opened):
    page = opened("digits")
    page.locator("#file").set_input_files({"name": "a.png", "mimeType": "", "buffer": b"no"})
    page.locator("#trouble").wait_for()
    assert "not a picture" in page.locator("#trouble").inner_text()
    assert ["400" in line for line in opened.wrong] == [True]
    opened.wrong.clear()


@pytest.mark.parametrize("width", [360, 800, 1920])
@pytest.mark.parametrize(
    "place",
    ["", "#layer=conv2&cell=3,4,5", "#walk=5", "#beside=run:other", "#view=units", "#view=shift"],
)
def test_no_width_needs_scrolling_sideways(opened, width, place):
    page = opened("digits", place, width=width)
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


PLACES = {
    "digits": [
        "", "#layer=input", "#layer=conv1", "#layer=conv1&tab=filters", "#layer=conv1&tab=patches",
        "#layer=conv1&tab=looks", "#layer=conv1&tab=units", "#layer=conv1&tab=twin",
        "#layer=conv2&cell=3,4,5", "#layer=dense2&cell=3", "#answer=3&input=example-0",
        "#view=shift&input=example-0", "#view=units", "#beside=run:other&input=example-0",
        "#beside=input:example-1&input=example-0", "#beside=run:colour&input=example-0",
        *(f"#walk={step}" for step in (1, 3, 5, 7, 8)),
    ],
    "widths": ["", "#layer=parallel1.branch1.conv1", "#answer=good"],
    "go": ["", "#layer=conv1"],
    "sound": ["", "#layer=conv1", "#layer=conv1&cell=0,3,3"],
}  # fmt: skip


READY = """() => ![...document.querySelectorAll('#detail .hint, #walk .hint')]
    .some(element => element.textContent.endsWith('…'))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", PLACES)
def test_axe_has_no_serious_finding(opened, kind, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs dev")
    page = opened(kind, scheme=scheme)
    only = {"runOnly": ["color-contrast"]} if scheme == "dark" else None  # all else is the same
    found = []
    for place in PLACES[kind]:
        page.evaluate("place => { location.hash = place; }", place)
        page.wait_for_timeout(150)
        page.wait_for_function(READY, timeout=60_000)
        found += [
            (place, one["id"], [node["html"][:120] for node in one["nodes"]][:3])
            for one in axe.Axe().run(page, options=only).response["violations"]
            if one["impact"] in ("serious", "critical")
        ]
    assert not found
