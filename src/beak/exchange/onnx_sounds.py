"""Samples as a log-mel spectrogram in ONNX: a convolution with fixed filters and a fixed map."""

from __future__ import annotations

import numpy as np

from beak.data.sound_spec import FULL, LOUDNESS, QUIET, SoundSpec
from beak.exchange.onnx_graph import Graph
from beak.ops.spectrogram.reference import FLOOR, mel_map, window_of
from beak.ops.spectrogram.settings import MelSettings


def log_mel(g: Graph, samples: str, settings: MelSettings) -> str:
    """Samples (N, 1, n) as (N, frames, bands), as ops/spectrogram/reference.py defines it."""
    waves = g.emit(
        "Conv", samples, _filters(g, settings), kernel_shape=[settings.size],
        strides=[settings.hop],
    )  # fmt: skip
    squares = g.multiply(waves, waves)
    cosines = g.parts(squares, 1, 0, settings.bins)
    power = g.add(cosines, g.parts(squares, 1, settings.bins, 2 * settings.bins))
    gathered = g.emit("MatMul", g.constant(mel_map(settings)), power)
    return g.emit("Transpose", g.emit("Log", g.add(gathered, FLOOR)), perm=[0, 2, 1])


def _filters(g: Graph, settings: MelSettings) -> str:
    """Windowed cosines, then sines, (2 bins, 1, fft), looked up in one turn of them.

    Runtimes compute them once, when they load the file, which is much smaller so.
    """
    size, bins = settings.size, settings.bins
    turns = 2 * np.pi * np.arange(size) / size
    waves = g.constant(np.concatenate([np.cos(turns), -np.sin(turns)]))
    angle = g.multiply(
        g.constant(np.arange(bins, dtype=np.float32)[:, None]),
        g.constant(np.arange(size, dtype=np.float32)[None]),
    )
    whole = g.emit("Floor", g.multiply(g.add(angle, 0.5), 1 / size))
    place = g.subtract(angle, g.multiply(whole, float(size)))
    both = g.integer(g.emit("Concat", place, g.add(place, float(size)), axis=0))
    filters = g.multiply(g.emit("Gather", waves, both, axis=0), g.constant(window_of(settings)))
    return g.unsqueeze(filters, 1)


def prepare_sounds(g: Graph, spec: SoundSpec) -> str:
    """The input "samples", float32 (N, samples) from -1 to 1, as the network reads it."""
    samples = g.input("samples", "float32", ["N", spec.samples])
    g.scope("prepare")
    # what a run stores of a recording are 16-bit numbers
    steps = g.emit("Round", g.multiply(samples, FULL))
    bounds = g.constant(-FULL), g.constant(FULL - 1)
    values = g.multiply(g.emit("Clip", steps, *bounds), 1 / FULL)
    if spec.level == "even":
        values = _even(g, values, spec)
    if spec.features == "samples":
        scaled = g.emit("Div", g.subtract(values, spec.mean[0]), g.constant(spec.std[0]))
        return g.unsqueeze(scaled, 1)
    made = log_mel(g, g.unsqueeze(values, 1), spec.mel)
    apart = g.subtract(made, g.constant(np.asarray(spec.mean, np.float32)))
    return g.unsqueeze(g.emit("Div", apart, g.constant(np.asarray(spec.std, np.float32))), 1)


def _even(g: Graph, values: str, spec: SoundSpec) -> str:
    """Brought to one loudness: that of the loudest tenth of stretches of ``hop`` samples."""
    count = spec.samples // spec.hop
    whole = g.parts(values, 1, 0, count * spec.hop)
    stretches = g.reshape(whole, -1, count, spec.hop)
    power = g.emit("ReduceMean", g.multiply(stretches, stretches), axes=[2], keepdims=0)
    most = g.top(power, max(1, count // 10))
    loud = g.emit("Sqrt", g.emit("ReduceMean", most, axes=[1], keepdims=1))
    gain = g.emit("Div", g.constant(LOUDNESS), g.emit("Max", loud, g.constant(QUIET)))
    is_loud = g.emit("Greater", loud, g.constant(QUIET))
    return g.multiply(values, g.emit("Where", is_loud, gain, g.constant(1.0)))
