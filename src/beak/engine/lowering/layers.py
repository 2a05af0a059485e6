"""The table of lowering functions: one for each kind of layer."""

from __future__ import annotations

from collections.abc import Callable

from beak.engine.fusion import Fused
from beak.engine.lowering.activations import lower_activation, lower_dropout
from beak.engine.lowering.context import Context, Lowered
from beak.engine.lowering.convolutions import lower_convolution
from beak.engine.lowering.dense import (
    lower_dense,
    lower_flatten,
    lower_position_bias,
)
from beak.engine.lowering.joins import lower_add, lower_concat, lower_multiply
from beak.engine.lowering.moves import lower_move
from beak.engine.lowering.norms import lower_batch_norm, lower_layer_norm
from beak.engine.lowering.pools import lower_global_pool, lower_pool
from beak.engine.lowering.sounds import lower_log_mel
from beak.engine.lowering.words import lower_embedding
from beak.engine.tape import Tensor
from beak.network import layers
from beak.network.network import Node

LOWER: dict[type[layers.Layer], Callable[[Context, Node, list[Tensor], Fused], Lowered]] = {
    layers.Conv1D: lower_convolution,
    layers.Conv2D: lower_convolution,
    layers.Dense: lower_dense,
    layers.MaxPool1D: lower_pool,
    layers.MaxPool2D: lower_pool,
    layers.AvgPool1D: lower_pool,
    layers.AvgPool2D: lower_pool,
    layers.GlobalMaxPool: lower_global_pool,
    layers.GlobalAvgPool: lower_global_pool,
    layers.Flatten: lower_flatten,
    layers.Pad: lower_move,
    layers.Upsample: lower_move,
    layers.Reshape: lower_move,
    layers.BatchNorm: lower_batch_norm,
    layers.LayerNorm: lower_layer_norm,
    layers.Dropout: lower_dropout,
    layers.Activation: lower_activation,
    layers.Embedding: lower_embedding,
    layers.LogMel: lower_log_mel,
    layers.PositionBias: lower_position_bias,
    layers.Add: lower_add,
    layers.Concat: lower_concat,
    layers.Multiply: lower_multiply,
}
