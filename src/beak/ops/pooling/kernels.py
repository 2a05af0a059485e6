"""The compiled kernels for pooling over windows and over whole images."""

from __future__ import annotations

from beak.ops.kernel import Kernel, structure

PoolArgs = structure(
    "PoolArgs",
    "ptr:x ptr:y ptr:winner int:images int:channels int:in_h int:in_w int:out_h int:out_w"
    " int:window_h int:window_w int:stride_h int:stride_w int:pad_top int:pad_left",
)
GlobalMaxForwardArgs = structure(
    "GlobalMaxForwardArgs", "ptr:x ptr:y ptr:winner int:images int:places int:channels"
)
GlobalMaxBackwardArgs = structure(
    "GlobalMaxBackwardArgs", "ptr:dx ptr:dy ptr:winner int:images int:places int:channels"
)
GlobalAvgForwardArgs = structure(
    "GlobalAvgForwardArgs", "ptr:x ptr:y int:images int:places int:channels"
)
GlobalAvgBackwardArgs = structure(
    "GlobalAvgBackwardArgs", "ptr:dx ptr:dy int:images int:places int:channels"
)

MAX_POOL_FORWARD = (Kernel("max_pool_forward", PoolArgs),)
MAX_POOL_BACKWARD = (Kernel("max_pool_backward", PoolArgs),)
AVG_POOL_FORWARD = (Kernel("avg_pool_forward", PoolArgs),)
AVG_POOL_BACKWARD = (Kernel("avg_pool_backward", PoolArgs),)
GLOBAL_MAX_FORWARD = (Kernel("global_max_forward", GlobalMaxForwardArgs),)
GLOBAL_MAX_BACKWARD = (Kernel("global_max_backward", GlobalMaxBackwardArgs),)
GLOBAL_AVG_FORWARD = (Kernel("global_avg_forward", GlobalAvgForwardArgs),)
GLOBAL_AVG_BACKWARD = (Kernel("global_avg_backward", GlobalAvgBackwardArgs),)
