"""The kernel table of convolutions."""

from __future__ import annotations

from beak.ops.kernel import Kernel, structure

_FORWARD = (
    "ptr:x ptr:weight ptr:bias ptr:y "
    "int:images int:in_h int:in_w int:in_channels int:out_h int:out_w int:out_channels int:groups "
    "int:window_h int:window_w int:stride_h int:stride_w int:dilation_h int:dilation_w "
    "int:pad_top int:pad_left int:spread_h int:spread_w int:relu int:bands"
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
TURN_FILTERS = (
    Kernel(
        "convolution_turn_filters",
        structure(
            "TurnArgs", "ptr:weight ptr:turned int:groups int:window int:channels int:filters"
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
