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

# Winograd's rows by the side of their tiles; winograd.py says which of them takes a shape.
WINOGRAD_PREPARE = {
    m: (
        Kernel(
            f"winograd{m}_prepare",
            structure(
                "WinogradFilterArgs", "ptr:weight ptr:prepared int:channels int:filters int:turned"
            ),
            scratch="winograd_prepare_scratch",
        ),
    )
    for m in (2, 4)
}
_WINOGRAD_SHAPE = (
    "int:images int:in_h int:in_w int:in_channels int:out_h int:out_w int:out_channels "
    "int:pad_top int:pad_left "
)
WINOGRAD_FORWARD = {
    m: (
        Kernel(
            f"winograd{m}_forward",
            structure(
                "WinogradArgs",
                f"ptr:x ptr:prepared ptr:bias ptr:y {_WINOGRAD_SHAPE} int:relu int:groups",
            ),
            scratch=f"winograd{m}_forward_scratch",
        ),
    )
    for m in (2, 4)
}
WINOGRAD_WEIGHT_GRADIENT = {
    m: (
        Kernel(
            f"winograd{m}_weight_gradient",
            structure(
                "WinogradGradientArgs",
                f"ptr:x ptr:dy ptr:partials {_WINOGRAD_SHAPE} int:splits "
                "int:channel_blocks int:filter_blocks int:stride int:bias_at",
            ),
            scratch=f"winograd{m}_weight_gradient_scratch",
        ),
    )
    for m in (2, 4)
}
