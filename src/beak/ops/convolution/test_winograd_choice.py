"""The choice among Winograd's rows and the cuts of their work: pure functions of shape."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from beak.ops.convolution import winograd
from beak.ops.convolution.winograd import Layer, choose_side, forward_cut, gradient_cut
from beak.ops.test_reference_support import run_doctests


def test_the_choice_of_a_row():
    resnet = [Layer(16, 16, 32, 32), Layer(32, 32, 16, 16), Layer(64, 64, 8, 8)]
    go = [Layer(n, n, 19, 19) for n in (64, 192)]
    for layer in resnet + go:
        for purpose in ("forward", "weights"):
            assert choose_side(layer, "v3", purpose) == 4
    assert choose_side(Layer(1, 25, 26, 26), "v3") == 0
    assert choose_side(Layer(3, 16, 32, 32), "v3") == 0
    assert choose_side(Layer(1024, 64, 19, 19), "v3") == 2, "F4's error grows with the channels"
    assert choose_side(Layer(64, 64, 2, 2), "v3") == 2, "a 4x4 tile would be three quarters empty"
    first = Layer(48, 64, 19, 19, window=(5, 5), padding=(2, 2))
    for purpose in ("forward", "weights"):
        assert choose_side(first, "v3", purpose) == 2
    for field, value in {
        "window": (7, 7), "stride": (2, 2), "dilation": (2, 1), "groups": 2, "padding": (1, 3),
    }.items():  # fmt: skip
        assert choose_side(Layer(64, 64, 19, 19, **{field: value}), "v3") == 0


def test_the_examples_in_the_docstrings_hold():
    assert run_doctests(winograd) >= 3


def test_one_image_is_cut_into_small_blocks_and_over_filters():
    go = Layer(192, 192, 19, 19)
    assert forward_cut(4, 1, go) == (4, 1, 4)  # 25 tiles
    assert forward_cut(4, 128, go) == (134, 1, 64)
    assert forward_cut(4, 1, Layer(192, 192, 4, 4)) == (1, 4, 4)


@given(
    images=st.integers(1, 300),
    channels=st.integers(1, 600),
    filters=st.integers(1, 600),
    side=st.integers(1, 40),
    m=st.sampled_from([2, 4]),
)
def test_partial_sums_take_less_than_16_blocks_more_than_the_gradient(
    images, channels, filters, side, m
):
    cut = gradient_cut(m, images, Layer(channels, filters, side, side))
    assert 1 <= cut.splits <= 8
    assert cut.parts < cut.channel_blocks * cut.filter_blocks + 16
    assert 64 * cut.channel_blocks >= channels
    assert 64 * cut.filter_blocks >= filters
