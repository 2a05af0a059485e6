"""The compiled kernels for the loss."""

from __future__ import annotations

from beak.ops.kernel import Kernel, structure

LabelWeightsArgs = structure("LabelWeightsArgs", "ptr:labels ptr:class_weights ptr:total int:rows")
CrossEntropyArgs = structure(
    "CrossEntropyArgs",
    "ptr:logits ptr:labels ptr:class_weights ptr:total ptr:losses ptr:correct ptr:dlogits"
    " int:rows int:classes real:smoothing",
)

LABEL_WEIGHTS = (Kernel("label_weights", LabelWeightsArgs),)
CROSS_ENTROPY = (Kernel("cross_entropy", CrossEntropyArgs),)
