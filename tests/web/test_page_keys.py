"""The page from the keyboard: what opens takes it, Escape gives it back, nothing loses it."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.slow

HERE = """() => {
  const e = document.activeElement;
  return e.id && e.tagName === 'SECTION' ? `#${e.id}` : e.getAttribute('aria-label') ?? e.textContent;
}"""  # noqa: E501
READY = """() => ![...document.querySelectorAll('#detail .hint, #walk .hint')]
    .some(element => element.textContent.endsWith('…'))"""


def press(page, *keys: str) -> str:
    for key in keys:
        page.keyboard.press(key)
        page.wait_for_timeout(120)
    page.wait_for_function(READY, timeout=30_000)
    return page.evaluate(HERE)


def at(page, selector: str) -> None:
    page.locator(selector).first.focus()


def test_every_stop_of_the_tab_key_is_seen_and_the_last_leads_out(opened):
    page = opened("digits", "#input=example-0")
    page.locator("#example").wait_for()
    stops = []
    for _ in range(60):
        page.keyboard.press("Tab")
        stop, seen = page.evaluate("""() => {
          const e = document.activeElement;
          const lit = e.matches('.hidden-file') ? e.previousElementSibling : e;
          return [e.getAttribute('aria-label') ?? (e.labels?.[0] ?? e).textContent, getComputedStyle(lit).outlineStyle];
        }""")  # noqa: E501
        if page.evaluate("document.activeElement === document.body"):
            break
        assert seen == "solid", stop
        stops.append(stop)
    assert len(stops) == len(set(stops)) < 60  # no trap
    order = ["Skip to the network", "Side by side", "Light or dark", "clear", "Undo", "open",
             "webcam", "next", "conv1", "dense2"]  # fmt: skip
    assert [stop for stop in stops if stop in order] == order


def test_a_layer_its_tabs_and_back(opened):
    page = opened("digits", "#input=example-0")
    at(page, '[data-layer="conv1"] h2 button')
    assert press(page, "Enter") == "#detail"
    assert press(page, "Tab", "Tab") == "maps"
    assert press(page, "ArrowRight") == "filters"
    page.wait_for_url(re.compile("tab=filters"))
    assert press(page, "End") == "twin"
    assert press(page, "ArrowRight") == "maps"
    assert press(page, "ArrowLeft") == "twin"
    assert press(page, "Escape") == "conv1"
    assert page.locator("#detail").is_hidden()


def test_a_number_its_neighbours_and_back_to_the_map(opened):
    page = opened("digits", "#input=example-0")
    at(page, '[data-layer="conv1"] canvas')
    assert press(page, "ArrowRight", "ArrowDown", "Enter") == "#detail"
    page.get_by_role("link", name="→ column 2").focus()
    assert press(page, "Enter") == "→ column 3"
    assert press(page, "Enter") == "→ column 4"
    assert press(page, "Escape").startswith("conv1, 25 × 26 × 26")
    assert page.locator('[data-layer="conv1"] .cursor').is_visible()  # where one was


def test_back_to_a_layer_that_was_laid_out_anew_meanwhile(opened):
    page = opened("digits", "#input=example-0", width=1600)
    at(page, '[data-layer="conv2"] canvas')
    assert press(page, "Enter") == "#detail"
    page.set_viewport_size({"width": 1280, "height": 800})
    page.wait_for_timeout(200)
    assert press(page, "Escape").startswith("conv2, 50 × 11 × 11")


def test_an_answer_and_back(opened):
    page = opened("digits", "#input=example-0")
    at(page, ".bars li:nth-child(4) button")
    assert press(page, "Enter") == "#detail"
    assert press(page, "Escape").startswith("3, ")


def test_the_walk_goes_on_from_one_button(opened):
    page = opened("digits")
    at(page, "#to-walk")
    assert press(page, "Enter") == "#walk"
    page.locator(".walk-foot button").last.focus()
    for step in range(2, 6):
        assert press(page, "Enter") == "on →"
        assert page.locator("#walk [aria-current]").inner_text() == str(step)
    assert press(page, "Escape") == "What is a CNN?"


def test_side_by_side_the_choice_keeps_the_keyboard(opened):
    page = opened("digits", "#input=example-0")
    at(page, "#to-beside")
    assert press(page, "Enter") == "#beside"
    at(page, "#with")
    press(page, "ArrowUp")
    page.wait_for_url(re.compile("beside=input"))
    page.get_by_text("the held input").wait_for()
    assert page.evaluate("document.activeElement.id") == "with"
    assert press(page, "Escape") == "Side by side"


def test_a_block_is_unfolded_and_folded_where_one_is(opened):
    page = opened("colour")
    at(page, ".folded h2 button >> nth=1")
    assert press(page, "Enter") == "fold res1"
    assert press(page, "Enter") == "res1"


def test_what_comes_in_meanwhile_takes_no_keyboard_away(opened):
    page = opened("text", "#answer=good")
    page.get_by_label("A sentence").focus()
    page.keyboard.type("a fine film", delay=30)
    page.locator(".words span", has_text="film").wait_for()
    assert page.get_by_label("A sentence").input_value() == "a fine film"
    assert page.evaluate("document.activeElement.id") == "sentence"


def test_the_stride_that_is_shown_is_marked(opened):
    page = opened("digits", "#walk=2")
    one, two = (page.get_by_role("button", name=f"stride {n}") for n in (1, 2))
    assert [b.get_attribute("aria-pressed") for b in (one, two)] == ["false", "true"]
    one.click()
    assert [b.get_attribute("aria-pressed") for b in (one, two)] == ["true", "false"]
    assert page.get_by_role("table", name="the map").locator("td").count() == 16


def test_pooling_in_the_walk_is_moved_by_its_buttons(opened):
    page = opened("digits", "#walk=6")
    line = page.locator("#walk .result").first
    assert line.inner_text() == "the largest of 3, −1, −3, 1 is 3"
    page.get_by_role("button", name="Window right").first.click()
    assert line.inner_text() == "the largest of −3, −1, 0, −3 is 0"


def test_the_pen_is_seen_where_the_keys_move_it(opened):
    page = opened("digits")
    pen = page.locator(".pen")
    assert pen.is_hidden()
    page.locator("#theme").focus()
    press(page, "Tab", "ArrowRight")
    before = pen.bounding_box()
    assert press(page, "ArrowRight", "ArrowDown")
    after = pen.bounding_box()
    assert after["x"] > before["x"]
    assert after["y"] > before["y"]
    press(page, "Tab")
    assert pen.is_hidden()
