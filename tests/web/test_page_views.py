"""How layers lie on the page: branches beside each other, time to the right, words as words."""

from __future__ import annotations

import re

import numpy as np
import pytest

from beak.data.sounds import wav

pytestmark = pytest.mark.slow


def boxes(page, names):
    return [page.locator(f'[data-layer="{name}"]').bounding_box() for name in names]


def test_branches_stand_above_each_other_and_their_join_behind_them(opened):
    page = opened("widths")
    names = [f"parallel1.branch{k}.conv1" for k in (1, 2, 3)]
    first, second, third = boxes(page, names)
    assert first["y"] + first["height"] <= second["y"]
    assert second["y"] + second["height"] <= third["y"]
    assert abs(first["x"] - third["x"]) < 60
    join, table = boxes(page, ["parallel1.concat", "embedding1"])
    assert join["x"] > third["x"] + third["width"]
    assert table["x"] + table["width"] < first["x"]


def test_a_shortcut_goes_straight_on_beside_its_block(opened):
    page = opened("colour")
    page.get_by_role("button", name="res2", exact=True).click()
    group = page.get_by_role("group", name="2 branches").first
    assert group.locator(".straight").count() == 1
    assert group.locator(".column").count() >= 4


LYING = """async () => {
  const { geometry, indexAt, placeOf, steps, flatOf } = await import("./page/geometry.js");
  const wrong = [];
  for (const turned of [false, true]) {
    const g = geometry([2, 5, 3], turned), [corner, right, down] = steps(g);
    for (let map = 0; map < 2; map++) for (let y = 0; y < g.h; y++) for (let x = 0; x < g.w; x++) {
      const index = indexAt(g, map, y, x), place = placeOf(g, index);
      if (flatOf(g.shape, index) !== map * 15 + corner + x * right + y * down) wrong.push(index);
      if (place.map !== map || place.y !== y || place.x !== x) wrong.push([turned, map, y, x]);
    }
  }
  return wrong;
}"""


def test_a_number_is_found_where_it_is_drawn_turned_or_not(opened):
    assert opened("digits").evaluate(LYING) == []


def test_time_runs_to_the_right_and_pitch_rises(opened):
    page = opened("sound")
    chirp = np.sin(np.cumsum(np.linspace(0.2, 2.6, 6400)))  # low at first, high at the end
    page.locator("#file").set_input_files(
        {"name": "a.wav", "mimeType": "", "buffer": wav((9000 * chirp).astype(np.int16), 8000)}
    )
    page.get_by_role("button", name="input", exact=True).click()
    canvas = page.locator("#detail canvas")
    size = canvas.evaluate("c => [c.width, c.height]")
    assert size == [77, 40]
    loud = """c => {
      const pixels = c.getContext("2d").getImageData(0, 0, c.width, c.height).data, found = [];
      for (const x of [12, 65]) {
        let best = -1, most = -1;
        for (let y = 0; y < c.height; y++) {  // from deep blue over paper to deep orange
          const [r, g, b] = pixels.slice(4 * (y * c.width + x)), sum = r + g + b;
          const value = r > b + 10 ? 2000 - sum : sum;
          if (value > most) { most = value; best = y; }
        }
        found.push(best);
      }
      return found;
    }"""
    page.wait_for_function(f"c => {{ const [a, b] = ({loud})(c); return a > b + 8; }}",
                           arg=canvas.element_handle())  # fmt: skip
    canvas.hover(position={"x": 1, "y": 1})
    assert page.locator("#tip").inner_text().startswith("input[0, 0, 39] =")


def values_of(page, kind="this") -> str:
    return page.evaluate(
        """kind => document.querySelector(`[data-pair=conv1] canvas[aria-label*=${kind}]`)
            .toDataURL()""",
        kind,
    )


def test_two_inputs_stand_side_by_side_and_the_new_one_follows(opened):
    page = opened("digits", "#input=example-0")
    page.get_by_role("button", name="Side by side").click()
    page.get_by_label("with", exact=True).select_option(label="another input")
    page.get_by_text("Both are the same input yet").wait_for()
    blank = values_of(page, "difference")
    assert values_of(page, "this") == values_of(page, "beside")
    page.get_by_role("button", name="next").click()
    page.get_by_text("orange in the difference is more on the left").wait_for()
    assert values_of(page, "difference") != blank
    assert values_of(page, "this") != values_of(page, "beside")
    page.get_by_role("button", name="swap").click()
    page.wait_for_url("**input=example-0*")


def test_another_runs_layers_stand_beside_with_linked_hover(opened):
    page = opened("digits", "#input=example-0&beside=run:other")
    row = page.locator('[data-pair="conv1"]')
    row.locator("canvas").first.hover(position={"x": 8, "y": 8})
    said = page.locator("#tip").inner_text()
    a, b, apart = (
        float(word.replace("\u2212", "-"))
        for word in re.match(
            r"conv1\[0, \d+, \d+\]: (\S+) and (\S+), difference (\S+)", said
        ).groups()
    )
    assert apart == pytest.approx(a - b, abs=0.01)
    assert row.locator(".frame").count() == 3
    row.locator("canvas").nth(1).focus()
    page.keyboard.press("ArrowRight")
    assert ", difference " in page.locator("#tip").inner_text()


def test_a_run_of_another_network_shows_what_both_have(opened):
    page = opened("digits", "#input=example-0&beside=run:colour")
    page.get_by_text("colour also has norm1").wait_for()
    row = page.locator('[data-pair="conv1"]')
    assert "not of one shape" in row.inner_text()
    assert row.locator("canvas").count() == 2
    assert "colour has no pool1" in page.locator('[data-pair="pool1"]').inner_text()


def test_the_run_that_is_looked_at_can_be_changed(opened):
    page = opened("digits", "#input=example-0&beside=run:other")
    page.get_by_role("button", name="swap").click()
    page.locator("#title", has_text="other").wait_for()
    page.locator('[data-pair="conv1"] canvas').first.wait_for()
    assert page.get_by_label("with", exact=True).locator("option").all_inner_texts()[1] == "digits"


def test_what_a_shift_changes_is_told_layer_by_layer(opened):
    page = opened("digits", "#input=example-0&view=shift")
    page.locator(".shifts tr").first.wait_for()
    names = page.locator(".shifts th").all_inner_texts()
    assert names == ["input", "conv1", "pool1", "conv2", "pool2", "flatten1", "dense1", "dense2"]
    before = page.locator(".shifts").inner_text()
    page.get_by_role("tab", name="by 3").click()
    page.get_by_text("Shifted by 3").wait_for()
    assert page.locator(".shifts").inner_text() != before


def test_dead_units_of_all_layers_and_what_each_of_one_is_worth(opened):
    page = opened("digits", "#view=units")
    page.get_by_role("link", name="conv1").click()
    page.get_by_role("tab", name="alike and dead").wait_for()
    page.get_by_text("first come those that would be missed most").wait_for(timeout=30_000)
    body = page.locator("#detail .many tbody tr")
    assert body.count() == 25
    shares = [
        float(text.split("%")[0]) for text in body.locator("td:nth-child(5)").all_inner_texts()
    ]
    assert shares == sorted(shares)
