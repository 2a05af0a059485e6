"""The compiled kernels for the optimisers' steps and for clipping the gradient.

``settings`` is float64[8], read at each step: learning rate, Adam's bias corrections 1 - beta1^t
and 1 - beta2^t, the gradient's scale (1 without clipping), the decay of the weights' average, the
step's number, what Adam's epsilon is multiplied with. Rows: those of an embedding that a batch
touched (embedding_index lists them).
"""

from __future__ import annotations

from beak.ops.kernel import Kernel, structure

SgdArgs = structure(
    "SgdArgs",
    "ptr:parameters ptr:gradient ptr:moment ptr:average ptr:settings int:count"
    " real:momentum int:nesterov real:decay",
)
SgdRowsArgs = structure(
    "SgdRowsArgs",
    "ptr:parameters ptr:gradient ptr:moment ptr:average ptr:settings ptr:listed ptr:count"
    " ptr:averaged int:row"
    " real:momentum int:nesterov real:decay",
)
AdamArgs = structure(
    "AdamArgs",
    "ptr:parameters ptr:gradient ptr:moment1 ptr:moment2 ptr:average ptr:settings int:count"
    " real:beta1 real:beta2 real:epsilon real:decay int:decoupled",
)
AdamRowsArgs = structure(
    "AdamRowsArgs",
    "ptr:parameters ptr:gradient ptr:moment1 ptr:moment2 ptr:average ptr:settings ptr:listed"
    " ptr:count ptr:averaged int:row real:beta1 real:beta2 real:epsilon real:decay int:decoupled",
)
VelocityArgs = structure(
    "VelocityArgs",
    "ptr:parameters ptr:gradient ptr:moment ptr:settings int:count real:momentum int:nesterov",
)
RmspropArgs = structure(
    "RmspropArgs",
    "ptr:parameters ptr:gradient ptr:moment1 ptr:moment2 ptr:mean ptr:settings int:count"
    " real:rho real:momentum real:epsilon",
)
SquaredNormArgs = structure("SquaredNormArgs", "ptr:gradient ptr:partials int:count")
SquaredNormRowsArgs = structure(
    "SquaredNormRowsArgs", "ptr:gradient ptr:partials ptr:listed ptr:count int:row"
)
ClipScaleArgs = structure("ClipScaleArgs", "ptr:partials ptr:settings int:partial_parts real:limit")
MaxNormArgs = structure("MaxNormArgs", "ptr:weight int:panels int:terms real:limit")

SGD = (Kernel("sgd", SgdArgs),)
SGD_ROWS = (Kernel("sgd_rows", SgdRowsArgs),)
ADAM = (Kernel("adam", AdamArgs),)
ADAM_ROWS = (Kernel("adam_rows", AdamRowsArgs),)
VELOCITY = (Kernel("velocity", VelocityArgs),)
RMSPROP = (Kernel("rmsprop", RmspropArgs),)
SQUARED_NORM = (Kernel("squared_norm", SquaredNormArgs),)
SQUARED_NORM_ROWS = (Kernel("squared_norm_rows", SquaredNormRowsArgs),)
CLIP_SCALE = (Kernel("clip_scale", ClipScaleArgs),)
MAX_NORM = (Kernel("max_norm", MaxNormArgs),)
