"""All layers, and the table of them by the kind that JSON names."""

from __future__ import annotations

from beak.network.features import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    LayerNorm,
    Multiply,
    PositionBias,
)
from beak.network.layer import ACTIVATIONS, RELU_KINDS, Layer, Parameter, Shape
from beak.network.moves import Moving, Pad, Reshape, Upsample
from beak.network.opaque import Opaque
from beak.network.sounds import LogMel
from beak.network.windows import (
    AvgPool1D,
    AvgPool2D,
    Conv1D,
    Conv2D,
    Geometry,
    MaxPool1D,
    MaxPool2D,
    Windowed,
)

LAYERS: dict[str, type[Layer]] = {
    layer.__name__: layer
    for layer in (
        Conv1D,
        Conv2D,
        MaxPool1D,
        MaxPool2D,
        AvgPool1D,
        AvgPool2D,
        GlobalMaxPool,
        GlobalAvgPool,
        Flatten,
        Pad,
        Upsample,
        Reshape,
        Dense,
        BatchNorm,
        LayerNorm,
        Dropout,
        Activation,
        Embedding,
        LogMel,
        PositionBias,
        Add,
        Concat,
        Multiply,
        Opaque,
    )
}

__all__ = [
    "ACTIVATIONS",
    "LAYERS",
    "RELU_KINDS",
    "Activation",
    "Add",
    "AvgPool1D",
    "AvgPool2D",
    "BatchNorm",
    "Concat",
    "Conv1D",
    "Conv2D",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "Geometry",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "Layer",
    "LayerNorm",
    "LogMel",
    "MaxPool1D",
    "MaxPool2D",
    "Moving",
    "Multiply",
    "Opaque",
    "Pad",
    "Parameter",
    "PositionBias",
    "Reshape",
    "Shape",
    "Upsample",
    "Windowed",
]
