"""The kernel table of dense layers."""

from __future__ import annotations

from beak.ops.kernel import Kernel, structure

FORWARD = (
    Kernel(
        "dense_forward",
        structure(
            "DenseArgs", "ptr:x ptr:weight ptr:bias ptr:y int:rows int:inputs int:outputs int:relu"
        ),
    ),
)
WEIGHT_GRADIENT = (
    Kernel(
        "dense_weight_gradient",
        structure(
            "DenseGradientArgs",
            "ptr:x ptr:dy ptr:dweight ptr:dbias int:rows int:inputs int:outputs",
        ),
        scratch="dense_weight_gradient_scratch",
    ),
)
