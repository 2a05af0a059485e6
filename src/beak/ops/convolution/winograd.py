"""Which Winograd kernel takes a convolution, and how its work is cut: pure sums about shapes.

The choice follows from the layer's shape and the instruction set, never from the batch: an image's
answer would otherwise depend on how many others came with it. What it weighs are multiply-adds,
with measured costs of the transforms (``choices.json``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from beak.ops.convolution.choices import choices
from beak.ops.panels import PANEL, padded

TILES = 24
"""Tiles in a block, as in winograd.h."""
SIDES = {3: (2, 4), 5: (2,)}
"""By the filters' side, outputs along a tile: F(2x2,3x3), F(4x4,3x3) and F(2x2,5x5)."""
F4_CHANNELS = 512
"""Up to so many terms F(4x4,3x3) stays below 2e-5 of its output's standard deviation.

So does F(2x2,5x5), which has the same points.

Measured on normal inputs, largest error of any output: 5e-6 at 16 channels, 1.0e-5 at 192, 1.6e-5
at 512, 2.8e-5 at 2048 (a weight gradient: 5e-6 at most, whatever the channels). Relative to the
largest output it is a fourth of that.
"""


@dataclass(frozen=True)
class Layer:
    """A convolution's shape as the choice sees it. Sizes in pixels."""

    in_channels: int
    out_channels: int
    out_h: int
    out_w: int
    window: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    padding: tuple[int, int] = (1, 1)


def takes(layer: Layer) -> bool:
    """Whether Winograd's rows compute this layer and its input gradient at all."""
    return (
        layer.window in ((3, 3), (5, 5))
        and layer.stride == layer.dilation == (1, 1)
        and layer.groups == 1
        and all(0 <= p < layer.window[0] for p in layer.padding)
    )


def f4_is_exact_enough(terms: int) -> bool:
    """Whether a sum over so many channels at 6 points an axis keeps its error below 2e-5.

    >>> f4_is_exact_enough(192), f4_is_exact_enough(2048)
    (True, False)
    """
    return terms <= F4_CHANNELS


def choose_side(layer: Layer, isa: str, purpose: str = "forward") -> int:
    """The tile's side that wins on this instruction set: one of SIDES, or 0 for the direct kernel.

    ``purpose`` is "forward" or "weights" (the weight gradient); for the input gradient ask as for
    forward with the channels exchanged and the input's height and width.

    >>> choose_side(Layer(64, 64, 19, 19), "v3"), choose_side(Layer(1, 16, 28, 28), "v3")
    (4, 0)
    >>> choose_side(Layer(48, 64, 19, 19, window=(5, 5), padding=(2, 2)), "v4")
    2
    """
    return cheapest_side(layer, choices(isa).transform[purpose], purpose)


def cheapest_side(layer: Layer, transforms: tuple[float, float], purpose: str = "forward") -> int:
    """The same for given costs of the transforms, at 4 points an axis and at 6."""
    if not takes(layer):
        return 0
    channels, filters = padded(layer.in_channels), padded(layer.out_channels)
    window = layer.window[0]
    costs = {0: 1.0 * window**2 * layer.in_channels * filters * layer.out_h * layer.out_w}
    for m in SIDES[window]:
        points = m + window - 1
        if points == 6 and purpose == "forward" and not f4_is_exact_enough(layer.in_channels):
            continue
        terms = channels if purpose == "weights" else layer.in_channels
        costs[m] = (
            tiles_in(layer.out_h, layer.out_w, m)
            * points**2
            * (terms * filters + transforms[points == 6] * (channels + filters))
        )
    return min(costs, key=lambda m: costs[m])


def tiles_in(out_h: int, out_w: int, m: int) -> int:
    """Tiles of one image."""
    return -(-out_h // m) * -(-out_w // m)


def slide_work(window: int, out: int) -> float:
    """The products of F(7 - window, window) along a sequence, as a share of the direct ones.

    >>> slide_work(3, 40), slide_work(3, 1)
    (0.5, 2.0)
    """
    return 6 * -(-out // (7 - window)) / (out * window)


def prepared_floats(m: int, terms: int, outputs: int, window: int = 3) -> int:
    """Floats of ``outputs`` prepared filters of ``terms`` channels, for tiles of this side.

    For the input gradient (``turned``) the terms are the filters and the outputs the channels.
    """
    return padded(outputs) // PANEL * (m + window - 1) ** 2 * (terms | 1) * PANEL


def prepare_parts(terms: int, outputs: int) -> int:
    """Into how many parts the preparation of filters is worth cutting."""
    return max(1, min(64, terms * outputs // 2048))


class ForwardCut(NamedTuple):
    """How a forward call is cut; none of it changes a bit of the result."""

    blocks: int
    """Of tiles, TILES at most."""
    groups: int
    """Of panels of filters."""
    parts: int


def forward_cut(m: int, images: int, layer: Layer) -> ForwardCut:
    """A batch of few tiles is cut into smaller blocks, so that one image keeps all threads busy.

    Each block reads all filters, and each group transforms its block anew: neither is cut further
    than for four threads.
    """
    tiles = images * tiles_in(layer.out_h, layer.out_w, m)
    blocks = max(-(-tiles // TILES), min(4, -(-tiles // 6)))
    groups = min(padded(layer.out_channels) // PANEL, -(-4 // blocks))
    return ForwardCut(blocks, groups, min(64, blocks * groups))


@dataclass(frozen=True)
class GradientCut:
    """How a weight gradient is cut; its sums depend on ``splits``, its memory as well."""

    splits: int
    channel_blocks: int
    filter_blocks: int

    @property
    def parts(self) -> int:
        """As many as there are units of work."""
        return self.splits * self.channel_blocks * self.filter_blocks


def gradient_cut(m: int, images: int, layer: Layer) -> GradientCut:
    """Blocks of at most 64 channels x 64 filters; over tiles only where these are few.

    >>> gradient_cut(4, 16, Layer(192, 192, 19, 19))
    GradientCut(splits=2, channel_blocks=3, filter_blocks=3)
    """
    channels, filters = -(-padded(layer.in_channels) // 64), -(-padded(layer.out_channels) // 64)
    blocks = -(-images * tiles_in(layer.out_h, layer.out_w, m) // TILES)
    splits = min(8, blocks, -(-16 // (channels * filters)))
    return GradientCut(splits, channels, filters)
