"""How layers lie on the page: branches beside each other, time to the right, words as words."""

from __future__ import annotations

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
