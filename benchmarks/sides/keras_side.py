"""Keras on the backend that KERAS_BACKEND names: train_on_batch, and calls for answers.

Channels last, as all its backends want on a CPU; models are compiled where the backend can.
"""

from __future__ import annotations

import itertools
import os

import keras
import numpy as np
from works import Work, batches_of

from beak.network import layers
from beak.network.network import Network, Node
from sides import CannotError, Settings

BACKEND = os.environ["KERAS_BACKEND"]


def version() -> str:
    return f"Keras {keras.__version__} on {BACKEND}"


class PositionBias(keras.layers.Layer):
    def build(self, shape):
        self.bias = self.add_weight(shape=(*shape[1:-1], 1), initializer="zeros")

    def call(self, x):
        return x + self.bias


def keras_model(network: Network, logits: bool) -> keras.Model:
    """The network channels last, without its final softmax where logits are wanted."""
    start = keras.Input((*network.input[1:], network.input[0]))
    if len(network.input) == 1:
        start = keras.Input(network.input, dtype="int32")
    values = {"input": start}
    for node in network.nodes:
        read = [values[name] for name in node.inputs]
        x = _layer(node)(read if len(read) > 1 else read[0])
        function = getattr(node.layer, "activation", getattr(node.layer, "function", None))
        if function and not (logits and node is network.nodes[-1] and function == "softmax"):
            x = keras.layers.Activation(function)(x)
        values[node.name] = x
    return keras.Model(start, x)


def _layer(node: Node) -> keras.layers.Layer:
    layer, k = node.layer, keras.layers
    match layer:
        case layers.Conv2D() | layers.Conv1D():
            g = layer.geometry(node.input_shapes[0])
            pads = tuple(g.padding)
            make = k.Conv2D if layer.axes == 2 else k.Conv1D
            same = all(p == (n // 2, n // 2) for p, n in zip(pads, g.kernel, strict=True))
            plain = same and set(g.stride) == {1}
            made = make(layer.filters, g.kernel, g.stride, "same" if plain else "valid",
                        use_bias=layer.bias)  # fmt: skip
            if plain or not any(map(any, pads)):
                return made
            return keras.Sequential([k.ZeroPadding2D(pads), made])
        case layers.MaxPool2D():
            return k.MaxPooling2D(layer.window, layer.stride)
        case layers.GlobalMaxPool():
            return k.GlobalMaxPooling1D() if len(node.input_shapes[0]) == 2 else k.GlobalMaxPool2D()
        case layers.GlobalAvgPool():
            return k.GlobalAveragePooling2D()
        case layers.Flatten():
            return k.Flatten()
        case layers.Dense():
            return k.Dense(layer.units, use_bias=layer.bias)
        case layers.BatchNorm():
            return k.BatchNormalization(momentum=1 - layer.momentum, epsilon=layer.epsilon)
        case layers.Dropout():
            return k.Dropout(layer.rate)
        case layers.Embedding():
            return k.Embedding(layer.words, layer.dimensions)
        case layers.PositionBias():
            return PositionBias()
        case layers.Add():
            return k.Add()
        case layers.Concat():
            return k.Concatenate()
        case layers.Activation():
            return k.Identity()
    raise CannotError(f"{layer.kind} is not translated to Keras")


def _threads(threads: int) -> None:
    if BACKEND == "tensorflow":
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
    elif BACKEND == "torch":
        import torch

        torch.set_num_threads(threads)  # JAX takes the cores that the process may use


def steps(work: Work, threads: int) -> Settings:
    _threads(threads)
    train = work.purpose == "train"
    model = keras_model(work.network, logits=train)
    ready = [
        (np.ascontiguousarray(np.moveaxis(x, 1, -1)) if x.ndim > 2 else x, y)
        for x, y in batches_of(work)
    ]
    turn = itertools.cycle(ready)
    if train:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(1e-4), loss, jit_compile="auto")
        return [("train_on_batch", lambda: model.train_on_batch(*next(turn)))]
    model.compile()
    return [("predict_on_batch", lambda: model.predict_on_batch(next(turn)[0]))]
