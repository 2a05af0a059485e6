"""beak's kernels for PyTorch users: ``beak.torch.ConvBlock``.

The block is convolution + bias + ReLU + 2x2 max pooling in one kernel, whose way back visits the
winners only. It stands in place of the three torch layers and trains beside whatever is in the
module; on other devices, number types and window sizes it is those three layers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from beak.errors import ShapeError, UsageError
from beak.ops.convolution.kernels import (
    POOLED_FORWARD,
    POOLED_INPUT_GRADIENT,
    POOLED_WEIGHT_GRADIENT,
    PackedKernel,
    PooledShape,
    pooled_takes,
)
from beak.ops.kernel import Call, Kernel, Phase, Table, choose, fill
from beak.ops.panels import from_panels, pad_groups, padded, to_panels, unpad_groups
from beak.shapes import Pair, pair, windows_along

Array = np.ndarray[Any, Any]
PARTS = 32
"""Into so many parts a batch is cut."""
GRADIENT_PARTS = 8
"""Into so many sums the weights' gradient is split."""

__all__ = ["ConvBlock"]


class ConvBlock(nn.Module):
    """Convolution + ReLU + 2x2 max pooling: (B, C, H, W) -> (B, F, H', W').

    The same numbers, parameters and gradients as ``nn.Sequential(nn.Conv2d(in_channels,
    out_channels, kernel_size, padding=padding), nn.ReLU(), nn.MaxPool2d(2))``, and its ``weight``
    and ``bias`` load from such a Conv2d's state dict. Float32 on a CPU with 3x3 or 5x5 windows runs
    as one kernel; anything else runs as the three layers. Works under torch.compile. Under autocast
    it stays in float32. Second derivatives are refused.

    >>> block = ConvBlock(3, 8, 3, padding=1)
    >>> block(torch.zeros(2, 3, 10, 10)).shape
    torch.Size([2, 8, 5, 5])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair = 3,
        padding: int | Pair = 0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size, self.padding = pair(kernel_size), pair(padding)
        like = nn.Conv2d(in_channels, out_channels, self.kernel_size, bias=bias)
        self.weight = like.weight
        self.bias = like.bias

    def forward(self, x: Tensor) -> Tensor:
        """ShapeError where a window does not fit the picture."""
        if x.ndim != 4 or x.shape[1] != self.weight.shape[1]:
            raise ShapeError(
                f"ConvBlock: {tuple(x.shape)} came, (batch, {self.weight.shape[1]}, height, width) "
                "was wanted"
            )
        if not self._fused(x):
            out = functional.conv2d(x, self.weight, self.bias, padding=self.padding)
            return functional.max_pool2d(functional.relu(out), 2)
        with torch.autocast("cpu", enabled=False):
            y, _ = conv_block(x.float(), self.weight, self.bias, list(self.padding))
        found: Tensor = y
        return found

    def _fused(self, x: Tensor) -> bool:
        """Whether the kernel takes these inputs."""
        kind = PooledShape(self.kernel_size, self.weight.shape[1], self.weight.shape[0])
        plain = x.device.type == "cpu" and self.weight.dtype == torch.float32
        exact = x.dtype == torch.float32 or torch.is_autocast_enabled("cpu")
        return plain and exact and pooled_takes(kind) and x.shape[0] > 0

    def extra_repr(self) -> str:
        """As nn.Conv2d shows itself."""
        outs, ins = self.weight.shape[:2]
        return f"{ins}, {outs}, kernel_size={self.kernel_size}, padding={self.padding}"


@torch.library.custom_op("beak::conv_block", mutates_args=())
def conv_block(
    x: Tensor, weight: Tensor, bias: Tensor | None, padding: list[int]
) -> tuple[Tensor, Tensor]:
    """The pooled map, and which of each window's four numbers won (or that ReLU let none by)."""
    x = x.contiguous(memory_format=torch.channels_last)
    fields = _fields(tuple(x.shape), tuple(weight.shape), padding)
    kind = PooledShape(tuple(weight.shape[2:]), weight.shape[1], weight.shape[0])
    images, height, width = len(x), fields["pooled_h"], fields["pooled_w"]
    y = _channels_last(images, weight.shape[0], height, width)
    winners = torch.empty((images, height, width, padded(weight.shape[0])), dtype=torch.uint8)
    row = choose(POOLED_FORWARD, kind)
    panels = to_panels(weight.detach().numpy())
    own_bias = None if bias is None else pad_groups(bias.detach().numpy())
    _run(
        row, min(PARTS, images), x=_last(x), weight=_packed(row, kind, panels), bias=own_bias,
        y=_last(y), winners=winners.numpy(), **fields, bands=1,
    )  # fmt: skip
    return y, winners


@conv_block.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor | None, padding: list[int]) -> Any:
    sizes = zip(x.shape[2:], weight.shape[2:], padding, strict=True)
    height, width = ((n + 2 * p - k + 1) // 2 for n, k, p in sizes)
    y = x.new_empty((x.shape[0], weight.shape[0], height, width))
    winners = (x.shape[0], height, width, padded(int(weight.shape[0])))
    return y.to(memory_format=torch.channels_last), x.new_empty(winners, dtype=torch.uint8)


@torch.library.custom_op("beak::conv_block_back", mutates_args=())
def conv_block_back(
    dy: Tensor, x: Tensor, weight: Tensor, winners: Tensor, padding: list[int], to_input: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients by the input (empty unless wanted), the weight and the bias."""
    x = x.contiguous(memory_format=torch.channels_last)
    dy = dy.contiguous(memory_format=torch.channels_last)
    shape = tuple(weight.shape)
    fields = _fields(tuple(x.shape), shape, padding)
    kind = PooledShape((shape[2], shape[3]), shape[1], shape[0])
    panels = to_panels(weight.detach().numpy())
    size, stride = panels.size, panels.size + padded(shape[0])
    parts = min(GRADIENT_PARTS, len(x))
    partials = np.empty((parts, stride), np.float32)
    known = {"dy": _last(dy), "winners": winners.numpy()}
    row = choose(POOLED_WEIGHT_GRADIENT, kind)
    _run(row, parts, x=_last(x), **known, partials=partials, **fields, stride=stride, bias_at=size)
    summed = partials.sum(axis=0)
    slope = torch.from_numpy(from_panels(summed[:size], (shape[0], shape[1], shape[2], shape[3])))
    by_bias = torch.from_numpy(unpad_groups(summed[size:], shape[0]))
    if not to_input:
        return x.new_empty(0), slope, by_bias
    dx = _channels_last(*x.shape)
    back = choose(POOLED_INPUT_GRADIENT, kind)
    _run(back, len(x), **known, weight=_packed(back, kind, panels), dx=_last(dx), **fields)
    return dx, slope, by_bias


@conv_block_back.register_fake
def _(
    dy: Tensor, x: Tensor, weight: Tensor, winners: Tensor, padding: list[int], to_input: bool
) -> Any:
    dx = torch.empty_like(x, memory_format=torch.channels_last) if to_input else x.new_empty(0)
    slope = torch.empty_like(weight, memory_format=torch.contiguous_format)
    return dx, slope, weight.new_empty(weight.shape[0])


def _keep(ctx: Any, inputs: Any, output: Any) -> None:
    x, weight, bias, padding = inputs
    ctx.save_for_backward(x, weight, output[1])
    ctx.padding, ctx.has_bias = padding, bias is not None
    ctx.mark_non_differentiable(output[1])


def _back(ctx: Any, dy: Tensor, _: Any) -> Any:
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():
        raise UsageError(
            "ConvBlock has first derivatives only (create_graph=True was asked for); use nn.Conv2d, "
            "nn.ReLU and nn.MaxPool2d there: they take its state dict"
        )
    x, weight, winners = ctx.saved_tensors
    wanted = ctx.needs_input_grad[0]
    dx, slope, by_bias = conv_block_back(dy, x, weight, winners, ctx.padding, wanted)
    return dx if wanted else None, slope, by_bias if ctx.has_bias else None, None


conv_block.register_autograd(_back, setup_context=_keep)


def _fields(images: tuple[int, ...], weight: tuple[int, ...], padding: list[int]) -> dict[str, int]:
    """The sizes that the kernels ask for. ShapeError where no pooled output comes."""
    outputs = [
        windows_along(n, k, 1, (p, p), 1)
        for n, k, p in zip(images[2:], weight[2:], padding, strict=True)
    ]
    if min(outputs) < 2:
        raise ShapeError(
            f"ConvBlock: a window of {weight[2]}x{weight[3]} on {images[2]}x{images[3]} leaves "
            f"{outputs[0]}x{outputs[1]}, of which 2x2 pooling leaves nothing; more padding would do"
        )
    return {
        "images": images[0], "in_h": images[2], "in_w": images[3], "channels": images[1],
        "pooled_h": outputs[0] // 2, "pooled_w": outputs[1] // 2, "filters": weight[0],
        "window_h": weight[2], "window_w": weight[3], "pad_top": padding[0],
        "pad_left": padding[1],
    }  # fmt: skip


def _packed(row: Kernel, kind: PooledShape, panels: Array) -> Array:
    """Weights in the form that a kernel reads."""
    if not isinstance(row, PackedKernel) or row.prepare is None:
        return panels
    packed = np.empty(row.packed(kind), np.float32)
    _run(
        row.prepare, 1, weight=panels, packed=packed, channels=kind.channels,
        filters=kind.filters, window_h=kind.window[0], window_w=kind.window[1],
    )  # fmt: skip
    return packed


def _run(kernel: Kernel, parts: int, **values: Any) -> None:
    call = Call(kernel, fill(kernel, values), keep=tuple(values.values()))
    Table([Phase((call,), parts)]).run(torch.get_num_threads())


def _channels_last(*shape: int) -> Tensor:
    return torch.empty(shape, memory_format=torch.channels_last)


def _last(tensor: Tensor) -> Array:
    """A channels_last tensor's own memory as (B, H, W, C)."""
    found: Array = tensor.detach().permute(0, 2, 3, 1).numpy()
    return found if found.flags.c_contiguous else np.ascontiguousarray(found)
