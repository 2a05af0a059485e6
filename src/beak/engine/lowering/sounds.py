"""Log-mel spectrograms as calls."""

from __future__ import annotations

from collections.abc import Sequence

from beak.engine.fusion import Fused
from beak.engine.lowering.context import Context, Lowered
from beak.engine.tape import Tensor
from beak.network import layers
from beak.network.network import Node
from beak.ops.spectrogram import kernels as spectrogram
from beak.ops.spectrogram.settings import MelSettings


def lower_log_mel(c: Context, node: Node, inputs: list[Tensor], fused: Fused) -> Lowered:
    """Samples to frames x bands; LANES frames are transformed at a time."""
    layer = node.layer
    assert isinstance(layer, layers.LogMel)
    samples = inputs[0]
    _, frames, bands = node.output
    y = c.tape.tensor(samples.images, frames, bands, 1)
    length = samples.count // samples.images
    shared = spectrogram.arguments(MelSettings.of(layer), samples.images, length)
    parts = max(1, min(64, samples.images * frames // 64))
    c.tape.emit(spectrogram.LOG_MEL_FORWARD, parts, samples=samples, dy=None, out=y, **shared)

    def backward(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        if not wanted[0]:
            return [None]
        dx = c.tape.like(samples)
        parts = min(64, samples.images)
        c.tape.emit(spectrogram.LOG_MEL_BACKWARD, parts, samples=samples, dy=dy, out=dx, **shared)
        return [dx]

    return Lowered(y, backward)
