"""The compiled kernels for batch and layer normalisation.

``partials`` are float64 [parts][2][channels], one for each part of the rows; the ``*_finish``
kernels put them together in order. ``BATCH_NORM_BACKWARD_FINISH`` serves layer norm too.
``function`` is -1 for none and 0 for a fused ReLU.
"""

from __future__ import annotations

from beak.ops.kernel import Kernel, structure

BatchNormStatisticsArgs = structure(
    "BatchNormStatisticsArgs", "ptr:x ptr:partials int:rows int:channels"
)
BatchNormFinishArgs = structure(
    "BatchNormFinishArgs",
    "ptr:partials ptr:mean ptr:inverse ptr:running_mean ptr:running_var"
    " int:partial_parts int:rows int:channels real:epsilon real:momentum",
)
BatchNormInverseArgs = structure(
    "BatchNormInverseArgs", "ptr:variance ptr:inverse int:channels real:epsilon"
)
BatchNormApplyArgs = structure(
    "BatchNormApplyArgs",
    "ptr:x ptr:y ptr:mean ptr:inverse ptr:weight ptr:bias int:rows int:channels int:function",
)
BatchNormAddArgs = structure(
    "BatchNormAddArgs",
    "ptr:x ptr:other ptr:y ptr:mean ptr:inverse ptr:weight ptr:bias"
    " int:rows int:channels int:function",
)
BatchNormAddBackwardSumsArgs = structure(
    "BatchNormAddBackwardSumsArgs",
    "ptr:x ptr:y ptr:dy ptr:mean ptr:inverse ptr:g ptr:partials int:rows int:channels",
)
BatchNormBackwardSumsArgs = structure(
    "BatchNormBackwardSumsArgs",
    "ptr:x ptr:dy ptr:mean ptr:inverse ptr:weight ptr:bias ptr:partials"
    " int:rows int:channels int:function",
)
BatchNormBackwardFinishArgs = structure(
    "BatchNormBackwardFinishArgs",
    "ptr:partials ptr:dweight ptr:dbias int:partial_parts int:channels",
)
BatchNormBackwardApplyArgs = structure(
    "BatchNormBackwardApplyArgs",
    "ptr:x ptr:dy ptr:dx ptr:mean ptr:inverse ptr:weight ptr:bias ptr:dweight ptr:dbias"
    " int:rows int:channels int:function int:training",
)
LayerNormForwardArgs = structure(
    "LayerNormForwardArgs",
    "ptr:x ptr:y ptr:mean ptr:inverse ptr:weight ptr:bias int:rows int:channels real:epsilon",
)
LayerNormBackwardArgs = structure(
    "LayerNormBackwardArgs",
    "ptr:x ptr:dy ptr:dx ptr:mean ptr:inverse ptr:weight ptr:partials int:rows int:channels",
)

BATCH_NORM_STATISTICS = (Kernel("batch_norm_statistics", BatchNormStatisticsArgs),)
BATCH_NORM_FINISH = (Kernel("batch_norm_finish", BatchNormFinishArgs),)
BATCH_NORM_INVERSE = (Kernel("batch_norm_inverse", BatchNormInverseArgs),)
BATCH_NORM_APPLY = (Kernel("batch_norm_apply", BatchNormApplyArgs),)
BATCH_NORM_ADD = (Kernel("batch_norm_add", BatchNormAddArgs),)
BATCH_NORM_ADD_BACKWARD_SUMS = (
    Kernel("batch_norm_add_backward_sums", BatchNormAddBackwardSumsArgs),
)
BATCH_NORM_BACKWARD_SUMS = (Kernel("batch_norm_backward_sums", BatchNormBackwardSumsArgs),)
BATCH_NORM_BACKWARD_FINISH = (Kernel("batch_norm_backward_finish", BatchNormBackwardFinishArgs),)
BATCH_NORM_BACKWARD_APPLY = (Kernel("batch_norm_backward_apply", BatchNormBackwardApplyArgs),)
LAYER_NORM_FORWARD = (Kernel("layer_norm_forward", LayerNormForwardArgs),)
LAYER_NORM_BACKWARD = (Kernel("layer_norm_backward", LayerNormBackwardArgs),)
