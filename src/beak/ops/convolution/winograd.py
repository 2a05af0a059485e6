"""Which Winograd kernel takes a convolution, and how its work is cut: pure sums about shapes.

The choice follows from the layer's shape and the instruction set, never from the batch: an image's
answer would otherwise depend on how many others came with it. What it weighs are multiply-adds,
with measured costs of the transforms (``choices.json``).
"""

from __future__ import annotations

from dataclasses import dataclass

from beak.ops.convolution.choices import choices
from beak.ops.panels import PANEL, padded

TILES = 24
"""Tiles in a block, as in winograd.h."""
SIDES = (2, 4)
"""Outputs along a tile: the rows of the table, F(2x2,3x3) and F(4x4,3x3)."""
F4_CHANNELS = 512
"""Up to so many terms F(4x4,3x3) stays below 2e-5 of its output's standard deviation.

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
        layer.window == (3, 3)
        and layer.stride == layer.dilation == (1, 1)
        and layer.groups == 1
        and all(0 <= p <= 2 for p in layer.padding)
    )


def f4_is_exact_enough(terms: int) -> bool:
    """Whether a sum over so many channels by F(4x4,3x3) keeps its error below 2e-5.

    >>> f4_is_exact_enough(192), f4_is_exact_enough(2048)
    (True, False)
    """
    return terms <= F4_CHANNELS


def choose_side(layer: Layer, isa: str, purpose: str = "forward") -> int:
    """The tile's side that wins on this instruction set: 2, 4, or 0 for the direct kernel.

    ``purpose`` is "forward" or "weights" (the weight gradient); for the input gradient ask as for
    forward with the channels exchanged and the input's height and width.

    >>> choose_side(Layer(64, 64, 19, 19), "v3"), choose_side(Layer(1, 16, 28, 28), "v3")
    (4, 0)
    """
    return cheapest_side(layer, choices(isa).transform[purpose], purpose)


def cheapest_side(layer: Layer, transforms: tuple[float, float], purpose: str = "forward") -> int:
    """The same for given costs of the transforms, by side of the tile."""
    if not takes(layer):
        return 0
    channels, filters = padded(layer.in_channels), padded(layer.out_channels)
    costs = {0: 9.0 * layer.in_channels * filters * layer.out_h * layer.out_w}
    for m, transform in zip(SIDES, transforms, strict=True):
        if m == 4 and purpose == "forward" and not f4_is_exact_enough(layer.in_channels):
            continue
        terms = channels if purpose == "weights" else layer.in_channels
        costs[m] = (
            tiles_in(layer.out_h, layer.out_w, m)
            * (m + 2) ** 2
            * (terms * filters + transform * (channels + filters))
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


def prepared_floats(m: int, terms: int, outputs: int) -> int:
    """Floats that ``winograd{m}_prepare`` writes for ``outputs`` filters of ``terms`` channels.

    For the input gradient (``turned``) the terms are the filters and the outputs the channels.
    """
    return padded(outputs) // PANEL * (m + 2) ** 2 * (terms | 1) * PANEL


def prepare_parts(terms: int, outputs: int) -> int:
    """Into how many parts the preparation of filters is worth cutting."""
    return max(1, min(64, terms * outputs // 2048))


def forward_cut(m: int, images: int, layer: Layer) -> tuple[int, int]:
    """(groups of filter panels, parts) of a forward call; neither changes a bit of the result.

    A batch of few tiles is cut over filters as well, so that one image keeps all threads busy.
    """
    blocks = -(-images * tiles_in(layer.out_h, layer.out_w, m) // TILES)
    groups = min(padded(layer.out_channels) // PANEL, -(-16 // blocks))
    return groups, min(64, blocks * groups)


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
