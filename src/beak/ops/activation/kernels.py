"""The compiled kernels for activation functions and softmax."""

from __future__ import annotations

from beak.ops.kernel import Kernel, structure

FUNCTIONS = ("relu", "leaky_relu", "gelu", "silu", "hard_swish", "tanh", "sigmoid")
"""A function's number in the kernels is its place here."""
LEAK = 0.01
"""The slope of leaky_relu where none is given."""

ActivationForwardArgs = structure(
    "ActivationForwardArgs", "ptr:x ptr:y int:count int:function real:slope"
)
ActivationBackwardArgs = structure(
    "ActivationBackwardArgs", "ptr:x ptr:y ptr:dy ptr:dx int:count int:function real:slope"
)
SoftmaxForwardArgs = structure("SoftmaxForwardArgs", "ptr:x ptr:y int:rows int:channels")
SoftmaxBackwardArgs = structure("SoftmaxBackwardArgs", "ptr:y ptr:dy ptr:dx int:rows int:channels")

ACTIVATION_FORWARD = (Kernel("activation_forward", ActivationForwardArgs),)
ACTIVATION_BACKWARD = (Kernel("activation_backward", ActivationBackwardArgs),)
SOFTMAX_FORWARD = (Kernel("softmax_forward", SoftmaxForwardArgs),)
SOFTMAX_BACKWARD = (Kernel("softmax_backward", SoftmaxBackwardArgs),)
