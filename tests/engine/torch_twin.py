"""A network as a torch function: an independent second opinion on values and gradients.

Nothing here uses beak's own arithmetic but the sums about padding; every layer is torch's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from beak.network import layers as L  # noqa: N812
from beak.network.network import Network, Node
from beak.ops.spectrogram.reference import mel_map
from beak.ops.spectrogram.settings import MelSettings

ACTIVATIONS = {
    None: lambda x: x,
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "hard_swish": F.hardswish,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softmax": lambda x: torch.softmax(x, dim=1),
}


@dataclass(frozen=True)
class TorchResult:
    """What came out: the logits (the answers where there is no softmax), every node's output."""

    logits: torch.Tensor
    activations: dict[str, torch.Tensor]


def torch_parameters(
    network: Network, parameters: Mapping[str, np.ndarray], dtype: torch.dtype = torch.float64
) -> dict[str, torch.Tensor]:
    """The network's parameters as leaf tensors; those that are trained want gradients."""
    tensors = {}
    for name, spec in network.parameters.items():
        tensor = torch.tensor(np.asarray(parameters[name]), dtype=dtype)
        tensors[name] = tensor.requires_grad_(spec.trainable)
    return tensors


def torch_forward(
    network: Network,
    parameters: Mapping[str, torch.Tensor],
    inputs: torch.Tensor,
    training: bool = False,
    kept: Mapping[str, torch.Tensor] | None = None,
) -> TorchResult:
    """Run a network in torch: inputs (B, *network.input), integers where it reads words.

    ``training``: BatchNorm uses the batch's statistics and updates the running ones in place, and
    Dropout keeps what ``kept`` says by node name, bool (B, *output); without it, everything.
    """
    values, before = {"input": inputs}, inputs
    for node in network.nodes:
        own = {name.rpartition(".")[2]: parameters[name] for name in node.parameters}
        read = [values[name] for name in node.inputs]
        mask = None if kept is None or not training else kept.get(node.name)
        before = _layer(node, own, read, training, mask)
        values[node.name] = _activated(node, before)
    logits = before if network.classifies else values[network.nodes[-1].name]
    return TorchResult(logits, values)


def torch_node(
    node: Node, parameters: Mapping[str, torch.Tensor], read: list[torch.Tensor]
) -> torch.Tensor:
    """One node's output (B, *output) for what it reads, as in prediction."""
    own = {name.rpartition(".")[2]: value for name, value in parameters.items()}
    return _activated(node, _layer(node, own, read, False, None))


def _activated(node: Node, before: torch.Tensor) -> torch.Tensor:
    """What the layer's activation makes of the sum."""
    function = getattr(node.layer, "activation", getattr(node.layer, "function", None))
    slope = getattr(node.layer, "slope", None)
    return ACTIVATIONS[function](before, *[slope] if slope else [])


def _layer(
    node: Node,
    own: Mapping[str, torch.Tensor],
    read: list[torch.Tensor],
    training: bool,
    kept: torch.Tensor | None,
) -> torch.Tensor:
    """What a node computes before its activation."""
    layer: Any = node.layer
    x = read[0]
    match layer:
        case L.Conv1D() | L.Conv2D():
            convolve = F.conv1d if layer.axes == 1 else F.conv2d
            options = (layer.stride, 0, layer.dilation, layer.groups)
            return convolve(_padded(node, x, 0.0), own["weight"], own.get("bias"), *options)
        case L.MaxPool1D() | L.MaxPool2D():
            pool = F.max_pool1d if layer.axes == 1 else F.max_pool2d
            return pool(_padded(node, x, -torch.inf), layer.window, layer.stride)
        case L.AvgPool1D() | L.AvgPool2D():
            pool = F.avg_pool1d if layer.axes == 1 else F.avg_pool2d
            window = layer.window, layer.stride
            real = pool(_padded(node, torch.ones_like(x), 0.0), *window)
            return pool(_padded(node, x, 0.0), *window) / real
        case L.GlobalMaxPool():
            return F.adaptive_max_pool1d(x.flatten(2), 1)[..., 0]
        case L.GlobalAvgPool():
            return x.flatten(2).mean(2)
        case L.Flatten():
            return x.flatten(1)
        case L.Pad():
            pads = [side for pair in reversed(layer.sides(x.shape[1:])) for side in pair]
            return F.pad(x, pads)
        case L.Upsample():
            factors = tuple(float(factor) for factor in layer.factors(x.shape[1:]))
            how = {2: "linear", 3: "bilinear"}[x.ndim - 1] if layer.how != "nearest" else "nearest"
            return F.interpolate(x, scale_factor=factors, mode=how)
        case L.Reshape() if layer.last:
            shape = (*layer.shape[1:], layer.shape[0])
            return x.movedim(1, -1).reshape(len(x), *shape).movedim(-1, 1)
        case L.Reshape():
            return x.reshape(len(x), *layer.shape)
        case L.Dense():
            return F.linear(x, own["weight"], own.get("bias"))
        case L.BatchNorm():
            running = own["running_mean"], own["running_var"]
            scale = own["weight"], own["bias"]
            return F.batch_norm(x, *running, *scale, training, layer.momentum, layer.epsilon)
        case L.LayerNorm():
            last, size = x.movedim(1, -1), x.shape[1:2]
            normal = F.layer_norm(last, size, own["weight"], own["bias"], layer.epsilon)
            return normal.movedim(-1, 1)
        case L.Dropout():
            return x if kept is None else x * kept / (1 - layer.rate)
        case L.Activation():
            return x
        case L.Embedding():
            read = x.long()[:, layer.begin :][:, : layer.places]
            found = F.embedding(read, own["weight"], padding_idx=layer.padding_index)
            return found.movedim(-1, 1)
        case L.LogMel():
            return _log_mel(layer, x.flatten(1))
        case L.PositionBias():
            return x + own["bias"]
        case L.Add():
            return torch.stack(read).sum(0)
        case L.Concat():
            return torch.cat(read, 1)
        case L.Multiply():
            product = torch.ones_like(max(read, key=lambda r: r.ndim))
            for factor in read:
                extra = (1,) * (product.ndim - factor.ndim)
                product = product * factor.reshape(*factor.shape, *extra)
            return product
    raise NotImplementedError(f"{node.name}: the torch twin does not know {layer.kind}")


def _log_mel(layer: L.LogMel, x: torch.Tensor) -> torch.Tensor:
    """By torch's own short-time Fourier transform; the mel map is tested against librosa's."""
    window = torch.hann_window(layer.window, dtype=x.dtype)
    options = {"center": False, "return_complex": True}
    spectrum = torch.stft(x, layer.size, layer.hop, layer.window, window, **options)
    mel = torch.tensor(mel_map(MelSettings.of(layer)), dtype=x.dtype)
    return torch.log(mel @ spectrum.abs().square() + 1e-6).transpose(1, 2)[:, None]


def _padded(node: Node, x: torch.Tensor, value: float) -> torch.Tensor:
    """Padded by hand, since torch's own "same" wants stride 1 and its pads are the same on both."""
    layer: Any = node.layer
    pads = layer.geometry(node.input_shapes[0]).padding
    return F.pad(x, [side for pair in reversed(pads) for side in pair], value=value)
