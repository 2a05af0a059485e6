"""The kernel table of convolutions."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import Structure
from dataclasses import dataclass
from typing import NamedTuple

from beak.ops.convolution.choices import choices
from beak.ops.kernel import Kernel, instruction_set, structure
from beak.ops.panels import padded

_FORWARD = (
    "ptr:x ptr:weight ptr:bias ptr:y "
    "int:images int:in_h int:in_w int:in_channels int:out_h int:out_w int:out_channels int:groups "
    "int:window_h int:window_w int:stride_h int:stride_w int:dilation_h int:dilation_w "
    "int:pad_top int:pad_left int:spread_h int:spread_w int:relu int:bands "
    "int:y_step int:y_row int:y_image"
)

FORWARD = (
    Kernel(
        "convolution_forward",
        structure("ConvolutionArgs", _FORWARD),
        scratch="convolution_forward_scratch",
    ),
)
WEIGHT_GRADIENT = (
    Kernel(
        "convolution_weight_gradient",
        structure("WeightGradientArgs", _FORWARD + " ptr:dy ptr:partials int:stride int:bias_at"),
        scratch="convolution_weight_gradient_scratch",
    ),
)
SCATTER = (
    Kernel(
        "convolution_scatter",
        structure("ScatterArgs", _FORWARD + " ptr:dy ptr:dx"),
        scratch="convolution_scatter_scratch",
    ),
)
TURN_FILTERS = (
    Kernel(
        "convolution_turn_filters",
        structure(
            "TurnArgs",
            "ptr:weight ptr:turned int:groups int:window_h int:window_w int:channels int:filters "
            "int:first_h int:first_w int:step_h int:step_w",
        ),
    ),
)
FOLD_NORM = (
    Kernel(
        "convolution_fold_norm",
        structure(
            "FoldArgs",
            "ptr:weight ptr:bias ptr:folded ptr:folded_bias ptr:mean ptr:variance ptr:gamma "
            "ptr:beta int:groups int:terms int:filters real:epsilon",
        ),
    ),
)

# Convolutions whose filters read one channel each (depthwise.cc).
DEPTHWISE_FORWARD = (
    Kernel(
        "depthwise_forward",
        structure("ConvolutionArgs", _FORWARD),
        scratch="depthwise_forward_scratch",
    ),
)
DEPTHWISE_WEIGHT_GRADIENT = (
    Kernel(
        "depthwise_weight_gradient",
        structure("WeightGradientArgs", _FORWARD + " ptr:dy ptr:partials int:stride int:bias_at"),
        scratch="depthwise_weight_gradient_scratch",
    ),
)
DEPTHWISE_PACK = (
    Kernel(
        "depthwise_pack",
        structure(
            "PackArgs",
            "ptr:weight ptr:bias ptr:packed ptr:packed_bias int:groups int:each int:window_h "
            "int:window_w int:first_h int:first_w int:step_h int:step_w int:turned",
        ),
    ),
)
DEPTHWISE_FINISH = (
    Kernel(
        "depthwise_finish",
        structure(
            "FinishArgs",
            "ptr:partials ptr:dweight ptr:dbias int:partial_parts int:stride int:groups int:each "
            "int:taps",
        ),
    ),
)

# Convolution of stride 1 + bias + ReLU + max pooling 2x2 in one (pooled.h). Rows are chosen with
# ``choose(POOLED_FORWARD, PooledShape(window, channels, filters))``.


class PooledShape(NamedTuple):
    """What the choice among the rows of pooled convolutions hangs on."""

    window: tuple[int, int]
    channels: int
    filters: int


@dataclass(frozen=True)
class PackedKernel(Kernel):
    """A row that reads weights in a form of its own, made from panels by ``prepare``."""

    prepare: Kernel | None = None
    """Run once a step, in any number of parts; None: the row reads the panels themselves."""
    packed: Callable[[PooledShape], int] = lambda shape: 0
    """How many floats the packed weights take, on any instruction set."""
    direct: bool = True
    """Each output is the sum of its terms, as a plain loop has it."""


_POOLED = (
    " int:images int:in_h int:in_w int:channels int:pooled_h int:pooled_w int:filters"
    " int:window_h int:window_w int:pad_top int:pad_left"
)
_PREPARE = "ptr:weight ptr:packed int:channels int:filters int:window_h int:window_w"
_FORWARD_ARGS = structure(
    "PooledForwardArgs", "ptr:x ptr:weight ptr:bias ptr:y ptr:winners" + _POOLED + " int:bands"
)
_GRADIENT_ARGS = structure(
    "PooledWeightGradientArgs",
    "ptr:x ptr:dy ptr:winners ptr:partials" + _POOLED + " int:stride int:bias_at",
)


def pooled_takes(shape: PooledShape) -> bool:
    """Whether pooled convolutions of this shape have kernels for forward and backward."""
    return shape.window in ((3, 3), (5, 5)) and shape.filters < 65536


def _winograd(isa: set[str], channels: int) -> PackedKernel:
    """The tile's transform reads whole vectors of channels: `channels` at least."""
    return PackedKernel(
        "pooled_winograd_forward",
        _FORWARD_ARGS,
        isa=frozenset(isa),
        takes=lambda shape: shape.window == (3, 3) and shape.channels >= channels,
        scratch="pooled_winograd_forward_scratch",
        prepare=Kernel("pooled_winograd_prepare", structure("PrepareArgs", _PREPARE)),
        packed=lambda shape: 16 * shape.channels * padded(shape.filters),
        direct=False,
    )


POOLED_FORWARD = (
    _winograd({"v2", "v3", "neon", "portable"}, channels=8),
    _winograd({"v4"}, channels=16),
    PackedKernel(
        "pooled_direct_forward",
        _FORWARD_ARGS,
        takes=pooled_takes,
        scratch="pooled_direct_forward_scratch",
    ),
)
POOLED_WEIGHT_GRADIENT = (
    Kernel(
        "pooled_weight_gradient_few",
        _GRADIENT_ARGS,
        takes=lambda shape: (
            pooled_takes(shape) and shape.channels <= choices(instruction_set()).few_channels
        ),
        scratch="pooled_weight_gradient_few_scratch",
    ),
    Kernel(
        "pooled_weight_gradient_many",
        _GRADIENT_ARGS,
        takes=pooled_takes,
        scratch="pooled_weight_gradient_many_scratch",
    ),
)
POOLED_INPUT_GRADIENT = (
    PackedKernel(
        "pooled_input_gradient",
        structure("PooledInputGradientArgs", "ptr:dy ptr:winners ptr:weight ptr:dx" + _POOLED),
        takes=pooled_takes,
        scratch="pooled_input_gradient_scratch",
        prepare=Kernel("pooled_input_gradient_prepare", structure("PrepareArgs", _PREPARE)),
        packed=lambda shape: (
            shape.window[0] * shape.filters * padded(shape.window[1] * shape.channels)
        ),
    ),
)


# Convolution + bias + ReLU + the maximum over all places in one (global_max.h).
_GLOBAL_MAX = (
    " int:images int:in_h int:in_w int:channels int:out_h int:out_w int:filters"
    " int:window_h int:window_w int:stride_h int:stride_w int:dilation_h int:dilation_w"
    " int:pad_top int:pad_left"
)
GLOBAL_MAX_FORWARD = (
    Kernel(
        "global_max_convolution",
        structure(
            "GlobalMaxConvolutionArgs",
            "ptr:x ptr:weight ptr:bias ptr:y ptr:winners" + _GLOBAL_MAX + " int:relu",
        ),
        scratch="global_max_convolution_scratch",
    ),
)
GLOBAL_MAX_WINOGRAD = (
    Kernel(
        "global_max_winograd",
        structure(
            "GlobalMaxWinogradArgs",
            "ptr:x ptr:prepared ptr:bias ptr:y ptr:winners" + _GLOBAL_MAX + " int:relu",
        ),
        scratch="global_max_winograd_scratch",
    ),
)
GLOBAL_MAX_WINOGRAD_PREPARE = (
    Kernel(
        "global_max_winograd_prepare",
        structure(
            "GlobalMaxWinogradPrepareArgs",
            "ptr:weight ptr:prepared int:window int:channels int:filters",
        ),
    ),
)
GLOBAL_MAX_WEIGHT_GRADIENT = (
    Kernel(
        "global_max_weight_gradient",
        structure(
            "GlobalMaxWeightGradientArgs",
            "ptr:x ptr:dy ptr:winners ptr:dweight ptr:dbias" + _GLOBAL_MAX,
        ),
        scratch="global_max_weight_gradient_scratch",
    ),
)
GLOBAL_MAX_ROWS = (
    Kernel(
        "global_max_rows",
        structure("GlobalMaxRowsArgs", "ptr:weight ptr:rows int:terms int:filters"),
    ),
)
GLOBAL_MAX_INPUT_GRADIENT = (
    Kernel(
        "global_max_input_gradient",
        structure(
            "GlobalMaxInputGradientArgs",
            "ptr:dy ptr:winners ptr:rows ptr:onto ptr:dx" + _GLOBAL_MAX,
        ),
        scratch="global_max_input_gradient_scratch",
    ),
)


# Winograd's rows by the filters' side, then by the tiles'; winograd.py says which takes a shape.
_WINOGRAD_SHAPE = (
    "int:images int:in_h int:in_w int:in_channels int:out_h int:out_w int:out_channels "
    "int:pad_top int:pad_left "
)


WinogradRows = dict[int, dict[int, tuple[Kernel, ...]]]


def _winograd_rows(end: str, args: type[Structure], scratch: str | None = None) -> WinogradRows:
    names = {3: {2: "winograd2", 4: "winograd4"}, 5: {2: "winograd2x5"}}
    return {
        window: {
            m: (Kernel(name + end, args, scratch=scratch or f"{name}{end}_scratch"),)
            for m, name in by_side.items()
        }
        for window, by_side in names.items()
    }


WINOGRAD_PREPARE = _winograd_rows(
    "_prepare",
    structure("WinogradFilterArgs", "ptr:weight ptr:prepared int:channels int:filters int:turned"),
    "winograd_prepare_scratch",
)
WINOGRAD_FORWARD = _winograd_rows(
    "_forward",
    structure(
        "WinogradArgs",
        f"ptr:x ptr:prepared ptr:bias ptr:onto ptr:y "
        f"{_WINOGRAD_SHAPE} int:relu int:blocks int:groups",
    ),
)
WINOGRAD_WEIGHT_GRADIENT = _winograd_rows(
    "_weight_gradient",
    structure(
        "WinogradGradientArgs",
        f"ptr:x ptr:dy ptr:partials {_WINOGRAD_SHAPE} int:splits "
        "int:channel_blocks int:filter_blocks int:stride int:bias_at",
    ),
)

# Winograd's algorithm along rows (slide.h): windows of two or more columns that move by one.
_SLIDE_SHAPE = (
    "int:images int:in_h int:in_w int:in_channels int:out_h int:out_w int:out_channels "
    "int:window_h int:window_w int:pad_top int:pad_left int:piece"
)
_SLIDE_ARGS = structure(
    "SlideArgs",
    f"ptr:x ptr:prepared ptr:bias ptr:y {_SLIDE_SHAPE} int:relu int:together int:groups",
)
SLIDE_PREPARE = (
    Kernel(
        "winograd_slide_prepare",
        structure(
            "SlideFilterArgs",
            "ptr:weight ptr:prepared int:channels int:filters int:window_h int:window_w int:piece "
            "int:turned",
        ),
    ),
)
SLIDE_FORWARD = (
    Kernel("winograd_slide_forward", _SLIDE_ARGS, scratch="winograd_slide_forward_scratch"),
)
SLIDE_INPUT_GRADIENT = (
    Kernel(
        "winograd_slide_input_gradient",
        _SLIDE_ARGS,
        scratch="winograd_slide_input_gradient_scratch",
    ),
)
SLIDE_WEIGHT_GRADIENT = (
    Kernel(
        "winograd_slide_weight_gradient",
        structure(
            "SlideGradientArgs",
            f"ptr:x ptr:dy ptr:partials {_SLIDE_SHAPE} int:together int:stride int:bias_at",
        ),
        scratch="winograd_slide_weight_gradient_scratch",
    ),
)
