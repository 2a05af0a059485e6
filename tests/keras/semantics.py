"""Keras's layers in float64, channels last, as its documentation defines them."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

FUNCTIONS = {
    "linear": lambda x: x,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": F.gelu,
    "silu": F.silu,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "softmax": lambda x: torch.softmax(x, -1),
}


def answers(model, inputs, training=False):
    """The answers of a beak.keras model to inputs, by these definitions, as a float64 tensor."""
    at = {id(model._start_.node): torch.as_tensor(np.asarray(inputs, np.float64))}
    own = {}
    for node in model._nodes:
        if id(node) not in at:
            reads = [at[id(t.node)] for t in node.inputs]
            weights = [
                torch.tensor(v.value.astype(np.float64), requires_grad=v.trainable)
                for v in node.layer.variables
            ]
            own |= {v.path: w for v, w in zip(node.layer.variables, weights, strict=True)}
            at[id(node)] = one(node.layer, reads, weights, training)
    return at[id(model._end.node)], own


def one(layer, reads, weights, training):
    kind, x = layer.kind, reads[0]
    if kind in ("Conv2D", "Conv1D", "DepthwiseConv2D", "SeparableConv2D"):
        return convolution(kind, layer, x, weights)
    if kind == "Dense":
        y = x @ weights[0]
        return activated(layer, y + weights[1] if layer.use_bias else y)
    if "Pooling" in kind and not kind.startswith("Global"):
        return pooling(kind, layer, x)
    if kind.startswith("Global"):
        axes = tuple(range(1, x.ndim - 1))
        return x.amax(axes, layer.keepdims) if "Max" in kind else x.mean(axes, layer.keepdims)
    if kind == "Flatten":
        return x.reshape(len(x), -1)
    if kind in ("ZeroPadding2D", "Cropping2D"):
        (top, bottom), (left, right) = layer.padding if kind[0] == "Z" else layer.cropping
        if kind[0] == "Z":
            return F.pad(x, (0, 0, left, right, top, bottom))
        return x[:, top : x.shape[1] - bottom, left : x.shape[2] - right]
    if kind == "UpSampling2D":
        first, factors = x.movedim(-1, 1), tuple(map(float, layer.size))
        return F.interpolate(first, scale_factor=factors, mode=layer.interpolation).movedim(1, -1)
    if kind == "Reshape":
        return x.reshape(len(x), *layer.target_shape)
    if kind == "BatchNormalization":
        gamma, beta, mean, variance = weights
        if training:
            axes = tuple(range(x.ndim - 1))
            mean, variance = x.mean(axes), x.var(axes, unbiased=False)
        return (x - mean) / torch.sqrt(variance + layer.epsilon) * gamma + beta
    if kind == "LayerNormalization":
        mean, variance = x.mean(-1, True), x.var(-1, unbiased=False, keepdim=True)
        return (x - mean) / torch.sqrt(variance + layer.epsilon) * weights[0] + weights[1]
    if kind in ("Dropout", "SpatialDropout2D", "SpatialDropout1D"):
        return x
    if kind == "Activation":
        return activated(layer, x)
    if kind == "ReLU":
        return F.leaky_relu(x, layer.negative_slope)
    if kind == "LeakyReLU":
        return F.leaky_relu(x, layer.negative_slope)
    if kind == "Softmax":
        return torch.softmax(x, -1)
    if kind == "Embedding":
        return weights[0][x.long()]
    if kind == "Add":
        return sum(reads)
    if kind == "Multiply":
        return torch.stack(torch.broadcast_tensors(*reads)).prod(0)
    if kind == "Concatenate":
        return torch.cat(reads, -1)
    if kind == "Rescaling":
        return x * layer.scale + layer.offset
    raise AssertionError(kind)


def activated(layer, y):
    return FUNCTIONS[layer.activation](y)


def same(size, window, stride, dilation=1):
    total = max(0, (-(-size // stride) - 1) * stride + dilation * (window - 1) + 1 - size)
    return total // 2, total - total // 2


def padded(layer, x, window, stride, dilation, value=0.0):
    """(B, C, …) with "same" padding where the layer wants it."""
    if layer.padding != "same":
        return x
    pads = [
        same(n, w, s, d) for n, w, s, d in zip(x.shape[2:], window, stride, dilation, strict=True)
    ]
    return F.pad(x, [p for pair in reversed(pads) for p in pair], value=value)


def sizes(value, axes):
    value = (value,) * axes if isinstance(value, int) else tuple(value)
    return value * axes if len(value) == 1 and axes > 1 else value


def convolution(kind, layer, x, weights):
    axes = x.ndim - 2
    x = x.movedim(-1, 1)
    window, stride = sizes(layer.kernel_size, axes), sizes(layer.strides, axes)
    dilation = sizes(layer.dilation_rate, axes)
    run = F.conv2d if axes == 2 else F.conv1d
    x = padded(layer, x, window, stride, dilation)
    weights = list(weights)
    if kind in ("DepthwiseConv2D", "SeparableConv2D"):
        kernel = weights.pop(0)  # (h, w, C, m)
        turned = kernel.permute(2, 3, 0, 1).reshape(-1, 1, *window)
        y = run(x, turned, None, stride, 0, dilation, groups=kernel.shape[2])
        if kind == "SeparableConv2D":
            y = run(y, weights.pop(0).permute(3, 2, 0, 1))
    else:
        kernel = weights.pop(0)
        turned = kernel.permute(*((3, 2, 0, 1) if axes == 2 else (2, 1, 0)))
        y = run(x, turned, None, stride, 0, dilation, layer.groups)
    y = y.movedim(1, -1)
    return activated(layer, y + weights[0] if layer.use_bias else y)


def pooling(kind, layer, x):
    axes = x.ndim - 2
    window = sizes(layer.pool_size, axes)
    stride = window if layer.strides is None else sizes(layer.strides, axes)
    x, ones = x.movedim(-1, 1), (1,) * axes
    if kind.startswith("Max"):
        x = padded(layer, x, window, stride, ones, -np.inf)
        y = (F.max_pool2d if axes == 2 else F.max_pool1d)(x, window, stride)
        return y.movedim(1, -1)
    sums = F.avg_pool2d if axes == 2 else F.avg_pool1d
    counted = padded(layer, torch.ones_like(x), window, stride, ones)
    y = sums(padded(layer, x, window, stride, ones), window, stride)
    return (y / sums(counted, window, stride)).movedim(1, -1)
