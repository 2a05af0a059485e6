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


SLIDE_TERMS = 1536
"""Up to so many terms of a sum, channels times the window's rows and pieces, F(7 - r, r) along rows
stays below 2e-5 of its output's standard deviation: 1.2e-5 at most, without fused multiply-adds."""
SLIDE_FLOATS = 1 << 18
"""Up to so many values of a picture's tiles at all points, so that they lie in the cache."""


class Slide(NamedTuple):
    """How F(7 - r, r) goes along the rows of a layer."""

    piece: int
    """r: the window is cut into pieces of so many columns, the last one filled with zeros."""
    pieces: int
    tiles: int
    """Of a row of outputs, 7 - r outputs each."""


def slide_cut(window_w: int, out_w: int) -> Slide:
    """The cut of a window along a row that takes the fewest products; of equals the fewest pieces.

    >>> slide_cut(4, 8), slide_cut(8, 33)
    (Slide(piece=4, pieces=1, tiles=3), Slide(piece=4, pieces=2, tiles=11))
    """
    cuts = (Slide(r, -(-window_w // r), -(-out_w // (7 - r))) for r in (2, 3, 4, 5))
    return min(cuts, key=lambda cut: (cut.pieces * cut.tiles, cut.pieces))


def slides(layer: Layer, in_h: int, isa: str) -> bool:
    """Whether F(7 - r, r) along rows takes a layer: windows of any height, 2 or more columns wide.

    Asked where ``choose_side`` takes none, once for forward and both gradients; ``in_h``: the
    input's rows.

    >>> slides(Layer(64, 64, 4, 8, window=(10, 4), padding=(0, 0)), 13, "v4")
    True
    """
    return slide_pays(layer, in_h, choices(isa).slide_transform)


def slide_pays(layer: Layer, in_h: int, transform: float) -> bool:
    """The same for a given cost of the transforms, in multiply-adds for each value they read."""
    height, width = layer.window
    channels, filters = layer.in_channels, layer.out_channels
    takes = (
        width >= 2
        and layer.stride == layer.dilation == (1, 1)
        and layer.groups == 1
        and filters >= PANEL
    )
    if not takes:
        return False
    cut = slide_cut(width, layer.out_w)
    pairs = layer.out_h * height * channels * filters
    values = 6 * cut.tiles * cut.pieces * in_h
    products = 6 * cut.tiles * cut.pieces * pairs
    vectors = channels if channels < PANEL else padded(channels)
    read = values * vectors + 6 * cut.tiles * layer.out_h * padded(filters)
    return (
        height * max(cut.pieces * channels, filters) <= SLIDE_TERMS
        and values * channels <= SLIDE_FLOATS
        and products + transform * read
        < layer.out_h * layer.out_w * height * width * channels * filters
    )


def slide_together(layer: Layer, in_h: int) -> int:
    """So many images go through the filters together: few, so that their tiles stay in the cache.

    >>> slide_together(Layer(64, 64, 4, 8, window=(10, 4), padding=(0, 0)), 13)
    4
    """
    cut = slide_cut(layer.window[1], layer.out_w)
    return max(1, min(4, (1 << 16) // (in_h * cut.tiles * cut.pieces * layer.in_channels)))


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


def forward_cut(m: int, images: int, layer: Layer, threads: int = 4) -> ForwardCut:
    """A batch of few tiles is cut into smaller blocks, so that one image keeps all threads busy.

    Each block reads all filters, and each group transforms its block anew: neither is cut further
    than for so many threads, or for four.

    >>> forward_cut(4, 1, Layer(192, 192, 19, 19), threads=2)
    ForwardCut(blocks=2, groups=1, parts=2)
    """
    threads = min(4, threads)
    tiles = images * tiles_in(layer.out_h, layer.out_w, m)
    blocks = max(-(-tiles // TILES), min(threads, -(-tiles // 6)))
    groups = min(padded(layer.out_channels) // PANEL, -(-threads // blocks))
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
