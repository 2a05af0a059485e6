"""Every way in which an input gets onto the page: webcam, paste, drop, microphone, games, keys."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from beak.data.sounds import wav

pytestmark = pytest.mark.slow

CHANGED = """before => [...document.querySelectorAll('.bars .share')]
    .map(e => e.textContent).join() !== before"""

GIVEN = """([how, name, type, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, { type }));
  const event = how === "paste"
    ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true })
    : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event);
}"""


def shares(page) -> str:
    return ",".join(page.locator(".bars .share").all_inner_texts())


def give(page, how, name, kind, content) -> None:
    page.evaluate(GIVEN, [how, name, kind, base64.b64encode(content).decode()])


def picture() -> bytes:
    kept = io.BytesIO()
    rows = np.add.outer(np.arange(40), np.arange(40)).astype(np.uint8) * 3
    Image.fromarray(rows).save(kept, "PNG")
    return kept.getvalue()


@pytest.mark.parametrize("how", ["paste", "drop"])
@pytest.mark.parametrize("kind", ["digits", "colour"])
def test_a_picture_is_pasted_or_dropped(opened, kind, how):
    page = opened(kind, "#input=nothing" if kind == "colour" else "#input=example-0")
    before = shares(page)
    give(page, how, "a.png", "image/png", picture())
    page.wait_for_function(CHANGED, arg=before)
    shown = page.evaluate("[...document.querySelector('.draw').getContext('2d')"
                          ".getImageData(5, 5, 1, 1).data].join()")  # fmt: skip
    assert shown not in ("0,0,0,255", "255,255,255,255")


def test_the_webcam_is_followed_until_it_is_stopped(opened):
    page = opened("colour")
    before = shares(page)
    page.get_by_role("button", name="webcam").click()
    page.wait_for_function(CHANGED, arg=before)
    seen = "Number(document.documentElement.dataset.seen)"
    first = page.evaluate(seen)
    page.wait_for_function(f"first => {seen} > first + 2", arg=first)
    page.get_by_role("button", name="stop").click()
    page.get_by_role("button", name="webcam").wait_for()
    page.wait_for_timeout(500)
    still = page.evaluate(seen)
    page.wait_for_timeout(500)
    assert page.evaluate(seen) == still


def test_a_sound_is_recorded_and_can_be_heard_again(opened):
    page = opened("sound")
    before = shares(page)
    page.get_by_role("button", name="record").click()
    page.get_by_role("button", name="stop").wait_for()
    page.wait_for_timeout(1200)
    page.get_by_role("button", name="stop").click()
    page.wait_for_function(CHANGED, arg=before)
    page.locator("audio").wait_for()
    assert page.locator("audio").evaluate("a => a.src").startswith("blob:")


def test_a_sound_is_dropped(opened):
    page = opened("sound")
    before = shares(page)
    tone = (9000 * np.sin(np.arange(6400) / 3)).astype(np.int16)
    give(page, "drop", "a.wav", "audio/wav", wav(tone, 8000))
    page.wait_for_function(CHANGED, arg=before)


def test_a_text_file_is_opened_and_dropped(opened):
    page = opened("text")
    page.locator("#file").set_input_files(
        {"name": "a.txt", "mimeType": "text/plain", "buffer": b"a dull film"}
    )
    page.locator(".read li", has_text="dull").wait_for()
    give(page, "drop", "b.txt", "text/plain", b"a fine film")
    page.locator(".read li", has_text="fine").wait_for()
    assert page.get_by_label("A sentence").input_value() == "a fine film"


def test_a_game_is_stepped_through_forward_and_back_with_its_stones(opened):
    page = opened("go")
    record = b"(;SZ[19];B[dd];W[pp];B[dp];W[pd])"
    give(page, "drop", "a.sgf", "application/x-go-sgf", record)
    page.get_by_text("after move 0 of 4; played D16").wait_for()
    slider = page.get_by_role("slider", name="Move")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.get_by_text("after move 3 of 4; played Q16").wait_for()
    page.get_by_label("One move back").click()
    page.get_by_text("after move 2 of 4; played D4").wait_for()
    page.get_by_label("One move on").click()
    page.get_by_label("One move on").click()
    page.get_by_text("after move 4 of 4").wait_for()
    page.get_by_label("One move on").click(force=True)  # there is none, and it says so
    page.wait_for_timeout(300)
    assert "after move 4 of 4" in page.locator("#own").inner_text()
    canvas = page.locator(".board")
    stone = canvas.evaluate("c => [...c.getContext('2d').getImageData(14 * 7, 14 * 7, 1, 1).data]")
    assert max(stone[:3]) < 40  # Black at D16


def test_a_planes_name_is_told_where_one_points(opened):
    page = opened("go")
    page.get_by_role("button", name="input", exact=True).click()
    page.locator("#detail canvas").hover(position={"x": 4, "y": 4})
    assert "(own stone)" in page.locator("#tip").inner_text()


def test_one_can_draw_while_the_examples_are_still_being_read(opened, browser, address):
    context = browser.new_context()
    page = context.new_page()
    page.route("**/api/examples*", lambda route: None)  # they never come
    page.goto(address("digits"))
    page.get_by_text("reading the examples").wait_for()
    before = shares(page)
    box = page.locator(".draw").bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 110, box["y"] + 130, steps=4)
    page.mouse.up()
    page.wait_for_function(CHANGED, arg=before)
    context.close()


def test_the_keyboard_alone_draws_and_sets_stones(opened):
    page = opened("digits", "#input=example-0")
    page.get_by_role("button", name="clear").focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(400)
    before = shares(page)
    page.locator(".draw").focus()
    page.keyboard.press(" ")
    for _ in range(12):
        page.keyboard.press("ArrowDown")
    page.wait_for_function(CHANGED, arg=before)
    page = opened("go")
    page.locator(".board").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.get_by_text("White to move").wait_for()
