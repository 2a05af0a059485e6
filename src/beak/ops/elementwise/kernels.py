"""The compiled kernels for sums, products and rearrangements of tensors."""

from __future__ import annotations

from beak.ops.kernel import Kernel, structure

PairArgs = structure("PairArgs", "ptr:a ptr:b ptr:y int:count")
MultiplyChannelsArgs = structure(
    "MultiplyChannelsArgs", "ptr:x ptr:scale ptr:y int:images int:places int:channels"
)
MultiplyChannelsBackwardArgs = structure(
    "MultiplyChannelsBackwardArgs",
    "ptr:x ptr:scale ptr:dy ptr:dx ptr:dscale int:images int:places int:channels",
)
CopyChannelsArgs = structure(
    "CopyChannelsArgs",
    "ptr:x ptr:y int:rows int:x_channels int:y_channels int:x_offset int:y_offset int:count",
)
TransposeArgs = structure("TransposeArgs", "ptr:x ptr:y int:images int:rows int:columns")
PositionBiasArgs = structure(
    "PositionBiasArgs", "ptr:x ptr:bias ptr:y int:images int:places int:channels"
)
PositionBiasBackwardArgs = structure(
    "PositionBiasBackwardArgs", "ptr:dy ptr:dbias int:images int:places int:channels"
)
SumPartsArgs = structure(
    "SumPartsArgs", "ptr:partials ptr:y int:partial_parts int:count int:stride"
)
FillArgs = structure("FillArgs", "ptr:y int:count")

ADD = (Kernel("add", PairArgs),)
ADD_RELU = (Kernel("add_relu", PairArgs),)
MULTIPLY = (Kernel("multiply", PairArgs),)
MULTIPLY_CHANNELS = (Kernel("multiply_channels", MultiplyChannelsArgs),)
MULTIPLY_CHANNELS_BACKWARD = (Kernel("multiply_channels_backward", MultiplyChannelsBackwardArgs),)
COPY_CHANNELS = (Kernel("copy_channels", CopyChannelsArgs),)
TRANSPOSE_IMAGES = (Kernel("transpose_images", TransposeArgs),)
POSITION_BIAS = (Kernel("position_bias", PositionBiasArgs),)
POSITION_BIAS_BACKWARD = (Kernel("position_bias_backward", PositionBiasBackwardArgs),)
SUM_PARTS = (Kernel("sum_parts", SumPartsArgs),)
FILL_ZERO = (Kernel("fill_zero", FillArgs),)
