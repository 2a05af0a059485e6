"""Each kind of layer as a torch module that holds its node's parameters under their own names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from beak.network import layers
from beak.network.network import Node
from beak.ops.spectrogram.reference import FLOOR, fixed_filters
from beak.ops.spectrogram.settings import MelSettings

FUNCTIONS: dict[str, Callable[[Tensor, bool], Tensor]] = {
    "relu": lambda x, inplace: functional.relu(x, inplace),
    "leaky_relu": lambda x, inplace: functional.leaky_relu(x, 0.01, inplace),
    "gelu": lambda x, inplace: functional.gelu(x),
    "silu": lambda x, inplace: functional.silu(x, inplace),
    "hard_swish": lambda x, inplace: functional.hardswish(x, inplace),
    "tanh": lambda x, inplace: torch.tanh(x),
    "sigmoid": lambda x, inplace: torch.sigmoid(x),
    "softmax": lambda x, inplace: torch.softmax(x, 1),
}
"""Activations; the second argument: whether the input may be written over."""

Reduce = Callable[[Tensor], Tensor]
"""A sum over all processes, through which gradients flow back."""


class Largest(nn.Module):
    """The largest number of each channel; a tie goes to the first place."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, …) -> (B, C)."""
        return x.flatten(2).max(2).values


class Mean(nn.Module):
    """The mean of each channel."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, …) -> (B, C)."""
        return x.flatten(2).mean(2)


class Same(nn.Module):
    """Nothing: a node that is its activation alone."""

    def forward(self, x: Tensor) -> Tensor:
        """What came."""
        return x


class Dropout(nn.Module):
    """In training, zeros at random, the rest grown to match; ``maps``: whole channels."""

    def __init__(self, rate: float, maps: bool = False) -> None:
        super().__init__()
        self.rate, self.maps = rate, maps

    def forward(self, x: Tensor, kept: Tensor | None = None) -> Tensor:
        """``kept``: what to keep, bool like x; None: drawn by torch while training."""
        if not self.training:
            return x
        if kept is None:
            if self.maps and x.ndim > 2:
                ones = torch.ones_like(x[:, :, *(slice(1),) * (x.ndim - 2)])
                return x * functional.dropout(ones, self.rate)
            return functional.dropout(x, self.rate)
        return x * kept / (1 - self.rate)


class WordVectors(nn.Embedding):
    """Words (B, L), or a stretch of them, to vectors (B, dimensions, L)."""

    def __init__(self, layer: layers.Embedding, sparse: bool) -> None:
        super().__init__(
            layer.words, layer.dimensions, padding_idx=layer.padding_index, sparse=sparse
        )
        end = None if layer.places is None else layer.begin + layer.places
        self.stretch = slice(layer.begin, end)
        self.weight.requires_grad_(layer.trainable)

    def forward(self, x: Tensor) -> Tensor:
        """Channels first."""
        return super().forward(x[:, self.stretch]).transpose(1, 2)


class LogMel(nn.Module):
    """Samples as a log-mel spectrogram: a convolution with fixed filters and a fixed map."""

    def __init__(self, layer: layers.LogMel) -> None:
        super().__init__()
        self.hop = layer.hop
        for name, values in zip(
            ("filters", "mel"), fixed_filters(MelSettings.of(layer)), strict=True
        ):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, n) or (B, 1, n) to (B, 1, frames, bands)."""
        filters, mel = cast(Tensor, self.filters), cast(Tensor, self.mel)
        waves = functional.conv1d(x.flatten(1)[:, None], filters, stride=self.hop)
        power = torch.stack(waves.chunk(2, 1)).square().sum(0)
        return torch.log(power.transpose(1, 2) @ mel.T + FLOOR)[:, None]


class PositionBias(nn.Module):
    """One bias for each place."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x + self.bias


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over channels."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, …)."""
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


class BatchNorm(nn.Module):
    """BatchNorm whose batch may lie on several processes, or be a single number a channel."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, epsilon: float, momentum: float) -> None:
        super().__init__()
        self.epsilon, self.momentum = epsilon, momentum
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.reduce: Reduce | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, …), normalised by the batch while training, else by the running statistics."""
        if self.training and (self.reduce is not None or x.numel() <= x.shape[1]):
            return self._together(x)
        running, scale = (self.running_mean, self.running_var), (self.weight, self.bias)
        return functional.batch_norm(
            x, *running, *scale, self.training, self.momentum, self.epsilon
        )

    def _together(self, x: Tensor) -> Tensor:
        """By the sums over all processes: the mean first, then the squares about it."""
        reduce = self.reduce or (lambda sums: sums)
        axes = [axis for axis in range(x.ndim) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(x.ndim)]
        own = x.new_tensor([x.numel() // x.shape[1]])
        sums = reduce(torch.cat([x.sum(axes), own]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centred = x - mean.reshape(shape)
        variance = reduce(centred.square().sum(axes)) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean.detach(), self.momentum)
            unbiased = variance.detach() * count / (count - 1).clamp(min=1)
            told = torch.where(count > 1, unbiased, self.running_var)
            self.running_var.lerp_(told, self.momentum)
        normal = centred * (variance + self.epsilon).rsqrt().reshape(shape)
        return normal * self.weight.reshape(shape) + self.bias.reshape(shape)


class Move(nn.Module):
    """Padding, cutting, upsampling or reshaping."""

    def __init__(self, layer: layers.Layer, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.layer, self.shape = layer, shape

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, …) to the layer's output."""
        match self.layer:
            case layers.Pad() as layer:
                pads = [side for pair in reversed(layer.sides(self.shape)) for side in pair]
                return functional.pad(x, pads)
            case layers.Upsample() as layer:
                factors: Any = [float(factor) for factor in layer.factors(self.shape)]
                if layer.how == "nearest":
                    return functional.interpolate(x, scale_factor=factors)
                how = "linear" if len(factors) == 1 else "bilinear"
                return functional.interpolate(x, scale_factor=factors, mode=how)
            case layers.Reshape() as layer if layer.last:
                turned = x.movedim(1, -1).reshape(-1, *layer.shape[1:], layer.shape[0])
                return turned.movedim(-1, 1)
            case layers.Reshape() as layer:
                return x.reshape(-1, *layer.shape)
        raise AssertionError(self.layer.kind)


class Join(nn.Module):
    """Add, Concat or Multiply."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, *inputs: Tensor) -> Tensor:
        """All inputs as one."""
        if self.kind == "Concat":
            return torch.cat(inputs, 1)
        total = inputs[0]
        for other in inputs[1:]:
            if self.kind == "Add":
                total = total + other
                continue
            deep = max(total.ndim, other.ndim)
            a, b = (t.reshape(*t.shape, *(1,) * (deep - t.ndim)) for t in (total, other))
            total = a * b
        return total


class UnevenMean(nn.Module):
    """Average pooling behind padding that differs from side to side; padding is not counted."""

    def __init__(self, layer: layers.Windowed, shape: tuple[int, ...]) -> None:
        super().__init__()
        g = layer.geometry(shape)
        self.steps: Any = (g.kernel, g.stride)
        self.pool: Any = functional.avg_pool1d if len(shape) == 2 else functional.avg_pool2d
        ones = functional.pad(torch.ones(1, 1, *shape[1:]), sides(g))
        self.register_buffer("real", self.pool(ones, *self.steps), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, …), padded with zeros."""
        pooled: Tensor = self.pool(x, *self.steps)
        return pooled / cast(Tensor, self.real)


def sides(geometry: layers.Geometry) -> list[int]:
    """Padding as ``functional.pad`` takes it: the last axis first, before and after."""
    return [side for pair in reversed(geometry.padding) for side in pair]


def pad_of(node: Node) -> Callable[[Tensor], Tensor] | None:
    """The padding that a node's own torch module cannot do: unlike on its two sides."""
    layer = node.layer
    if not isinstance(layer, layers.Windowed):
        return None
    geometry = layer.geometry(node.input_shapes[0])
    if all(before == after for before, after in geometry.padding):
        return None
    value = -np.inf if layer.kind.startswith("Max") else 0.0
    return partial(functional.pad, pad=sides(geometry), value=value)


def part_of(node: Node, sparse: bool = False) -> nn.Module:
    """A node's module, without its activation and without uneven padding.

    ``sparse``: embeddings have sparse gradients.
    """
    layer, shape = node.layer, node.input_shapes[0]
    match layer:
        case layers.Windowed():
            return _windowed(layer, shape, pad_of(node) is None)
        case layers.Dense():
            return nn.Linear(shape[0], layer.units, layer.bias)
        case layers.GlobalMaxPool():
            return Largest()
        case layers.GlobalAvgPool():
            return Mean()
        case layers.Flatten():
            return nn.Flatten()
        case layers.Pad() | layers.Upsample() | layers.Reshape():
            return Move(layer, shape)
        case layers.BatchNorm():
            return BatchNorm(shape[0], layer.epsilon, layer.momentum)
        case layers.LayerNorm():
            return ChannelNorm(shape[0], layer.epsilon)
        case layers.Dropout():
            return Dropout(layer.rate, bool(layer.maps))
        case layers.Embedding():
            return WordVectors(layer, sparse)
        case layers.LogMel():
            return LogMel(layer)
        case layers.PositionBias():
            return PositionBias(node.parameters[f"{node.name}.bias"].shape)
        case layers.Activation():
            return Same() if layer.slope is None else nn.LeakyReLU(layer.slope)
        case _:
            return Join(layer.kind)


def _windowed(layer: layers.Windowed, shape: tuple[int, ...], even: bool) -> nn.Module:
    """A convolution or a pooling."""
    g = layer.geometry(shape)
    padding = tuple(before for before, _ in g.padding) if even else (0,) * len(g.padding)
    flat = len(shape) == 2
    if isinstance(layer, layers.Conv1D | layers.Conv2D):
        convolution: Any = nn.Conv1d if flat else nn.Conv2d
        sizes = shape[0], layer.filters, g.kernel, g.stride, padding, g.dilation
        made: nn.Module = convolution(*sizes, layer.groups, layer.bias)
        return made
    pool: Any
    if layer.kind.startswith("Max"):
        pool = nn.MaxPool1d if flat else nn.MaxPool2d
        return cast(nn.Module, pool(g.kernel, g.stride, padding))
    if not even:
        return UnevenMean(layer, shape)
    pool = nn.AvgPool1d if flat else nn.AvgPool2d
    return cast(nn.Module, pool(g.kernel, g.stride, padding, count_include_pad=False))
