"""The picture of the whole network on screens of many widths: all of it, nothing over another."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

# The strip's width and what is in it, the last column's right edge, and pairs that overlap.
LAID = """() => {
  const strip = document.querySelector('.strip');
  const found = [...strip.querySelectorAll('.column')].map(e => [e.dataset.layer ?? 'answer', e.getBoundingClientRect()]);
  const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  const words = [...strip.querySelectorAll('.column > *')].filter(e => e.scrollWidth > e.clientWidth + 1);
  return {
    room: strip.clientWidth, needed: strip.scrollWidth, answer: found.at(-1)[1].right,
    over: found.flatMap(([a, x], i) => found.slice(i + 1).filter(([, y]) => over(x, y)).map(([b]) => `${a} ${b}`)),
    cut: words.map(e => e.textContent),
  };
}"""  # noqa: E501


def wide(page) -> float:
    return page.locator('[data-layer="conv1"] .mosaic').bounding_box()["width"]


@pytest.mark.parametrize("width", [1280, 1366, 1600, 1920])
def test_the_lectures_network_stands_on_the_screen_from_input_to_answer(opened, width):
    laid = opened("digits", width=width, height=800).evaluate(LAID)
    assert laid["needed"] <= laid["room"]
    assert laid["answer"] <= width
    assert not laid["over"]
    assert not laid["cut"]


@pytest.mark.parametrize("width", [390, 1280, 1920])
@pytest.mark.parametrize("kind", ["widths", "sound", "colour", "go"])
def test_no_layer_lies_over_another(opened, kind, width):
    page = opened(kind, width=width)
    page.evaluate("document.querySelector('.strip').scrollLeft = 0")
    laid = page.evaluate(LAID)
    # The answers lie over what is scrolled under them, where not all fits.
    assert [pair for pair in laid["over"] if not pair.endswith(" answer")] == []
    assert laid["cut"] == []


def test_layers_are_laid_out_anew_when_the_window_changes(opened):
    page = opened("digits", width=1920, height=1000)
    large = wide(page)
    page.locator('[data-layer="conv2"] h2 button').focus()
    page.set_viewport_size({"width": 1280, "height": 800})
    page.locator(".strip.all").wait_for()
    page.wait_for_function("before => document.querySelector('[data-layer=conv1] .mosaic')"
                           ".getBoundingClientRect().width < before", arg=large)  # fmt: skip
    laid = page.evaluate(LAID)
    assert laid["needed"] <= laid["room"]
    assert page.evaluate("document.activeElement.textContent") == "conv2"
    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_function("() => !document.querySelector('.strip.all')")
    assert wide(page) > 200  # one below the other, as wide as the phone


def test_a_window_that_changes_beside_the_network_is_minded_when_one_comes_back(opened):
    page = opened("digits", "#walk=2", width=1920, height=1000)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.keyboard.press("Escape")
    page.locator("#stage").wait_for()
    laid = page.evaluate(LAID)
    assert laid["needed"] <= laid["room"]
