"""Pictures as half blocks: right place, right mean, right size."""

from __future__ import annotations

import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from beak.cli.drawing import SIDE, draw_row, half_blocks, in_one_line, shrink


def test_a_small_picture_is_drawn_pixel_by_pixel():
    picture = np.array([[[0, 255], [255, 255], [0, 0], [255, 0]]], np.uint8)  # 4 rows, 2 columns
    assert shrink(picture)[:, :, 0].tolist() == picture[0].tolist()
    lines = half_blocks(shrink(picture), colours=False)
    assert [line.plain for line in lines] == ["▄█", "▄ "]


def test_colours_are_the_pixels_colours():
    picture = np.zeros((3, 2, 1), np.uint8)
    picture[:, 0, 0], picture[:, 1, 0] = (255, 128, 0), (0, 0, 200)
    (line,) = half_blocks(shrink(picture), colours=True)
    assert line.plain == "▀"
    style = line.spans[0].style
    assert style.color.get_truecolor() == (255, 128, 0)
    assert style.bgcolor.get_truecolor() == (0, 0, 200)


@settings(deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([1, 3]), st.integers(0, 2**31))
def test_shrinking_keeps_the_mean_and_fits(height, width, channels, seed):
    picture = np.random.default_rng(seed).integers(0, 256, (channels, height, width), np.uint8)
    small = shrink(picture)
    assert small.shape[0] <= SIDE + 1
    assert small.shape[1] <= SIDE
    assert small.shape[0] % 2 == 0
    wanted = np.broadcast_to(picture.mean(axis=(1, 2)), 3)
    np.testing.assert_allclose(small.mean(axis=(0, 1)), wanted, atol=0.51)


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(20, 130))
def test_rows_of_pictures_stay_inside_the_terminal(count, width):
    console = Console(file=io.StringIO(), width=width)
    pictures = [np.full((1, 28, 28), 20 * i, np.uint8) for i in range(count)]
    captions = [[Text("✓ a long caption"), Text(f"{i}.5 %")] for i in range(count)]
    draw_row(console, pictures, captions)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    said = " ".join(lines)
    assert said.count("✓ a long caption") == count
    assert all(said.count(f" {i}.5 %") == 1 for i in range(count))


def test_captions_are_cut_to_the_pictures_width_and_keep_their_second_piece():
    console = Console(file=io.StringIO(), width=80)
    captions = [[Text("✓ Norwegischer Waldkater"), Text("99.1 %")], [Text("✗ cat"), Text("is dog")]]
    draw_row(console, [np.zeros((1, 4, 4), np.uint8)] * 2, captions)
    assert [line.rstrip() for line in console.file.getvalue().splitlines()[-3:]] == [
        "  ✓ Norwegischer W… ✗ cat",
        "  99.1 %            is dog",
        "",
    ]
    assert [c.plain for (c,) in in_one_line([captions[1], [Text("✓ 7"), Text("9.9 %")]])] == [
        "✗ cat  is dog",
        "✓ 7  9.9 %",
    ]
