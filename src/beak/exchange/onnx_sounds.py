"""Samples as a log-mel spectrogram in ONNX: a convolution with fixed filters and a fixed map."""

from __future__ import annotations

import numpy as np

from beak.data.sound_spec import FULL, LOUDNESS, QUIET, SoundSpec
from beak.exchange.onnx_graph import Graph
from beak.ops.spectrogram.reference import FLOOR, band_corners
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
    gathered = g.emit("MatMul", _bands(g, settings), power)
    return g.emit("Transpose", g.emit("Log", g.add(gathered, FLOOR)), perm=[0, 2, 1])


def _filters(g: Graph, settings: MelSettings) -> str:
    """Windowed cosines and sines (2 bins, 1, fft), made of nothing but their sizes.

    Runtimes compute them once, when they load the file, which is much smaller so.
    """
    size = settings.size
    turns = g.multiply(g.unsqueeze(_upto(g, settings.bins), 1), g.unsqueeze(_upto(g, size), 0))
    # whole turns taken off first: the sine of a large number is not to be had in float32
    whole = g.emit("Floor", g.multiply(g.add(turns, 0.5), 1 / size))
    angle = g.multiply(g.subtract(turns, g.multiply(whole, float(size))), 2 * np.pi / size)
    both = g.emit("Concat", g.emit("Cos", angle), g.emit("Sin", angle), axis=0)
    return g.unsqueeze(g.multiply(both, _window(g, settings)), 1)


def _window(g: Graph, settings: MelSettings) -> str:
    """The Hann window in the middle of a frame (fft,)."""
    turn = g.multiply(_upto(g, settings.window), 2 * np.pi / settings.window)
    hann = g.add(g.multiply(g.emit("Cos", turn), -0.5), 0.5)
    around = settings.size - settings.window
    return g.emit("Pad", hann, g.whole([around // 2, around - around // 2])) if around else hann


def _upto(g: Graph, end: int) -> str:
    """0.0, 1.0, … (end,)."""
    return g.number(g.emit("Range", *(g.constant(n, "int64") for n in (0, end, 1))))


def _bands(g: Graph, settings: MelSettings) -> str:
    """The map from power to mel bands (bands, bins).

    Between two corners one band rises and the one before falls, by what is left: kept are, for
    each frequency, the rising band's number and how far up it lies; for each band its height.
    """
    corners = band_corners(settings)
    frequencies = np.linspace(0.0, settings.rate / 2, settings.bins)
    inside = (frequencies > corners[0]) & (frequencies < corners[-1])
    rising = np.searchsorted(corners, frequencies, side="right") - 1
    below, above = (corners[(rising + i).clip(0, len(corners) - 1)] for i in (0, 1))
    up = np.where(inside, (frequencies - below) / np.where(inside, above - below, 1.0), 0.0)
    rising = np.where(inside, rising, settings.bands + 2)  # in no band
    number = "uint8" if settings.bands < 250 else "int32"
    place = g.unsqueeze(g.number(g.constant(rising, number)), 0)
    share, band = g.constant(up), g.unsqueeze(_upto(g, settings.bands), 1)
    risen = g.multiply(g.number(g.emit("Equal", band, place)), share)
    falling = g.number(g.emit("Equal", g.add(band, 1.0), place))
    fallen = g.multiply(falling, g.subtract(g.constant(1.0), share))
    heights = 2.0 / (corners[2:] - corners[:-2])
    return g.multiply(g.add(risen, fallen), g.constant(heights[:, None]))


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
