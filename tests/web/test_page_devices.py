"""Webcam and microphone that are refused, missing or taken away; files of the wrong kind; undo."""

from __future__ import annotations

import base64

import pytest

from tests.web.test_page_inputs import CHANGED, give, picture, shares

pytestmark = pytest.mark.slow

SEEN = "Number(document.documentElement.dataset.seen ?? 0)"
REFUSED = "(name) => { navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', name); }; }"  # noqa: E501
KEPT = """() => {
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  window.asked = 0;
  navigator.mediaDevices.getUserMedia = async (what) => { window.asked++; return (window.stream = await ask(what)); };
}"""  # noqa: E501
LOST = "window.stream.getTracks().forEach((track) => { track.stop(); track.dispatchEvent(new Event('ended')); })"  # noqa: E501
MANY = """([how, files, text]) => {
  const data = new DataTransfer();
  for (const [name, size] of files) data.items.add(new File([new Uint8Array(size)], name));
  if (text) data.setData("text/plain", text);
  const event = how === "paste"
    ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
    : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event);
}"""


def trouble(page) -> str:
    page.locator("#trouble").wait_for()
    return page.locator("#trouble").inner_text()


@pytest.mark.parametrize(
    ("kind", "button", "device"),
    [("colour", "webcam", "webcam"), ("sound", "record", "microphone")],
)
def test_a_device_that_is_not_given_is_told_with_its_reason(opened, kind, button, device):
    page = opened(kind)
    for name, why in [
        ("NotAllowedError", f"the {device} was not allowed"),
        ("NotFoundError", f"the browser finds no {device}"),
        ("NotReadableError", f"the {device} is in use"),
        ("AbortError", f"the browser gave no {device}, or drop a "),
    ]:
        page.evaluate(REFUSED, name)
        page.get_by_role("button", name=button).click()
        page.locator("#trouble", has_text=why).wait_for()
        assert page.get_by_role("button", name=button).is_visible()
    page.evaluate("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    page.get_by_role("button", name=button).click()
    page.locator("#trouble", has_text="only to pages of this machine or over https").wait_for()


def test_a_webcam_that_goes_away_leaves_its_last_picture(opened):
    page = opened("colour")
    page.evaluate(KEPT)
    page.get_by_role("button", name="webcam").dblclick()  # one stream, not two
    page.wait_for_function(f"() => {SEEN} > 2")
    assert page.evaluate("asked") == 1
    page.evaluate(LOST)
    page.locator("#about", has_text="the webcam went away; its last picture stays").wait_for()
    page.get_by_role("button", name="webcam").wait_for()


def test_drawing_stops_the_webcam(opened):
    page = opened("colour")
    page.evaluate(KEPT)
    page.get_by_role("button", name="webcam").click()
    page.wait_for_function(f"() => {SEEN} > 2")
    page.locator(".draw").click(position={"x": 50, "y": 50})
    page.get_by_role("button", name="webcam").wait_for()
    assert page.evaluate("stream.getTracks().every((track) => track.readyState === 'ended')")


def test_a_microphone_that_goes_away_leaves_what_came_until_then(opened):
    page = opened("sound")
    before = shares(page)
    page.evaluate(KEPT)
    page.get_by_role("button", name="record").click()
    page.get_by_text("Recording, 1 of at most 10 s").wait_for()
    page.evaluate(LOST)
    page.wait_for_function(CHANGED, arg=before)
    assert "the microphone went away" in page.locator("#about").inner_text()
    page.get_by_role("button", name="record").wait_for()
    page.get_by_text("drop a sound").wait_for()


def test_drawing_is_undone_and_done_again(opened):
    page = opened("digits", "#input=example-0")
    page.locator("#example").wait_for()
    page.wait_for_timeout(300)
    undo, redo = page.get_by_label("Undo"), page.get_by_label("Redo")
    states = [shares(page)]
    for x in (30, 90):
        page.locator(".draw").click(position={"x": x, "y": 60})
        page.wait_for_function(CHANGED, arg=states[-1])
        page.wait_for_timeout(200)
        states.append(shares(page))
    for press, state in [
        (lambda: page.keyboard.press("Control+z"), states[1]),
        (undo.click, states[0]),
        (redo.click, states[1]),
        (lambda: page.keyboard.press("Control+Shift+Z"), states[2]),
    ]:
        now = shares(page)
        press()
        page.wait_for_function(CHANGED, arg=now)
        page.wait_for_timeout(200)
        assert close(shares(page), state)
    assert redo.get_attribute("aria-disabled") == "true"


def close(a: str, b: str) -> bool:
    """An example that was drawn where one draws is scaled twice: shares may differ a little."""
    read = [[float(share.split()[0]) for share in shares.split(",")] for shares in (a, b)]
    return all(abs(x - y) < 3 for x, y in zip(*read, strict=True))


def test_stones_and_records_are_undone(opened):
    page = opened("small go")
    page.evaluate(MANY, ["paste", [], "(;SZ[19];B[dd];W[pp](;B[dp])(;B[pd];W[dc]))"])
    page.get_by_text("after move 0 of 3; played D16").wait_for()  # variations: the main line
    page.get_by_label("One move on").click()
    page.get_by_text("after move 1 of 3").wait_for()
    page.locator(".board").click(position={"x": 60, "y": 60})
    page.get_by_text("Black to move").wait_for()
    assert page.get_by_label("One move on").get_attribute("aria-disabled") == "true"
    page.keyboard.press("Control+z")
    page.get_by_text("after move 1 of 3; played Q4").wait_for()
    page.get_by_label("Redo").click()
    page.get_by_text("Black to move").wait_for()


def test_a_new_stroke_leaves_nothing_to_do_again(opened):
    page = opened("digits", "#input=example-0")
    page.locator("#example").wait_for()
    undo, redo = page.get_by_label("Undo"), page.get_by_label("Redo")
    page.locator(".draw").click(position={"x": 30, "y": 60})
    undo.click()
    assert redo.get_attribute("aria-disabled") == "false"
    page.locator(".draw").click(position={"x": 90, "y": 60})
    assert redo.get_attribute("aria-disabled") == "true"


def test_a_record_is_left_for_an_earlier_input(opened):
    page = opened("small go")
    page.evaluate(MANY, ["paste", [], "(;SZ[19];B[dd];W[pp])"])
    page.get_by_text("after move 0 of 2").wait_for()
    on = page.get_by_label("One move on")
    assert on.get_attribute("aria-disabled") == "false"
    page.evaluate("location.hash = '#input=nothing'")
    page.locator('[aria-label="One move on"][aria-disabled="true"]').wait_for()


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (b"(;SZ[9];B[dd];W[ff])", "a board of 9x9, not 19x19"),
        (b"(;SZ[19];B[dd];W[p", "line 1: a '[' is never closed"),
        (b"\x89PNG(;\0B[dd]", "a.sgf is no game record"),
    ],
)
def test_a_record_that_cannot_be_shown_leaves_the_one_before(opened, record, why):
    page = opened("small go")
    page.evaluate(MANY, ["paste", [], "(;SZ[19];B[dd];W[pp])"])
    page.get_by_text("after move 0 of 2").wait_for()
    give(page, "drop", "a.sgf", "", record)
    assert why in trouble(page)
    page.get_by_label("One move on").click()
    page.get_by_text("after move 1 of 2; played Q4").wait_for()
    opened.wrong[:] = [line for line in opened.wrong if "400" not in line]


def test_files_that_cannot_be_taken_are_told_before_they_are_sent(opened):
    page = opened("text")
    page.evaluate(MANY, ["drop", [["film.txt", 33 << 20]], ""])
    assert "film.txt has 33 MB; at most 32 are taken" in trouble(page)
    give(page, "drop", "a.png", "image/png", picture())
    page.get_by_text("a.png is not a text in UTF-8").wait_for()
    page.evaluate(MANY, ["paste", [], "a dull film"])
    page.locator(".read li", has_text="dull").wait_for()
    assert page.get_by_label("A sentence").input_value() == "a dull film"
    assert page.locator("#trouble").is_hidden()


def test_the_first_of_several_files_is_named(opened):
    page = opened("digits")
    content = base64.b64encode(picture()).decode()
    page.evaluate(
        """(content) => {
          const data = new DataTransfer(), bytes = Uint8Array.from(atob(content), (l) => l.charCodeAt(0));
          for (const name of ["b.png", "c.png"]) data.items.add(new File([bytes], name));
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",  # noqa: E501
        content,
    )
    page.get_by_text("2 files came, this is b.png").wait_for()


def test_the_same_file_can_be_opened_twice(opened):
    page = opened("digits", "#input=example-0")
    file = {"name": "a.png", "mimeType": "image/png", "buffer": picture()}
    page.locator("#file").set_input_files(file)
    page.wait_for_function(f"() => {SEEN} > 0")
    seen = page.evaluate(SEEN)
    page.locator("#file").set_input_files(file)
    page.wait_for_function(f"seen => {SEEN} > seen", arg=seen)


def test_an_earlier_input_comes_back_to_where_one_draws(opened):
    page = opened("digits", "#input=example-0")
    page.locator("#example").wait_for()
    pixel = "[...document.querySelector('.draw').getContext('2d').getImageData(20, 20, 1, 1).data]"
    before = page.evaluate(pixel)
    page.locator('[data-layer="conv1"] h2 button').click()
    page.locator(".draw").click(position={"x": 20, "y": 20})
    page.wait_for_function(f"() => {pixel}[0] > 200")
    page.wait_for_function("() => !location.hash.includes('example-0')")  # it was looked at
    page.go_back()
    page.wait_for_function(f"() => {pixel}[0] < 200")
    assert abs(page.evaluate(pixel)[0] - before[0]) < 3


def test_no_example_is_chosen_while_it_is_ones_own(opened):
    page = opened("digits", "#input=example-2")
    select = page.locator("#example")
    select.wait_for()
    page.wait_for_function("() => document.querySelector('#example').value === '2'")
    page.locator(".draw").click(position={"x": 50, "y": 50})
    page.wait_for_function("() => document.querySelector('#example').value === ''")
    page.get_by_role("button", name="next").click()
    page.wait_for_function("() => document.querySelector('#example').value === '0'")


def test_an_example_that_comes_late_is_not_laid_over_what_is_being_drawn(opened):
    page = opened("digits", "#input=example-0")
    page.locator("#example").wait_for()
    page.wait_for_timeout(300)
    page.get_by_role("button", name="clear").click()
    page.route("**/api/look?input=example-2*", lambda route: held.append(route))
    held: list = []
    page.locator("#example").select_option("2")
    box = page.locator(".draw").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 60)
    held[0].continue_()
    page.wait_for_timeout(400)
    page.mouse.up()
    row = "() => [...document.querySelector('.draw').getContext('2d').getImageData(0, 4, 168, 160).data].filter((v, i) => i % 4 === 0 && v > 0 && v < 255).length"  # noqa: E501
    assert page.evaluate(row) < 200  # a stroke's edges, no greys of an example
