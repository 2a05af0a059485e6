"""How a number of each kind of layer comes about, before the layer's activation: a table by kind.

Each function takes the layer at work and a place in its output, and names every number one layer
down that goes into it, with what that number is multiplied by. Nothing is fused or folded.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from beak.engine.moves import matrices_of, order_of
from beak.lens.terms import (
    Array,
    At,
    Constant,
    Index,
    Terms,
    one,
    read,
    together,
    window_places,
)
from beak.ops.spectrogram import reference as spectrogram
from beak.ops.spectrogram.settings import MelSettings


def convolution(at: At, index: Index) -> Terms:
    """Each input under the window times its weight of the filter, plus the filter's bias."""
    weight, number = at.parameters["weight"], index[0]
    depth = weight.shape[1]
    first = number // (at.layer.filters // at.layer.groups) * depth
    places = window_places(at, index, range(first, first + depth))
    facts = {"filter": number, "window": weight.shape[1:], "channels": [first, first + depth]}
    return read(at, places, weight[number].ravel(), constants=at.bias((number,)), facts=facts)


def dense(at: At, index: Index) -> Terms:
    """Every input times its weight, plus the unit's bias."""
    weight = at.parameters["weight"][index[0]]
    places = np.arange(len(weight))[:, None]
    return read(at, places, weight, constants=at.bias(index), facts={"unit": index[0]})


def max_pool(at: At, index: Index) -> Terms:
    """The largest input under the window."""
    return largest(at, window_places(at, index, range(index[0], index[0] + 1)))


def global_max(at: At, index: Index) -> Terms:
    """The largest number of the channel's map."""
    return largest(at, all_places(at, index[0]))


def largest(at: At, places: Array) -> Terms:
    """Only the winner counts: the first of the largest; a NaN, the last one, wins over all."""
    terms = read(at, places, 0.0)
    values = np.where(terms.inside, terms.input, -np.inf)
    if np.isnan(values).any():
        winner = int(np.flatnonzero(np.isnan(values))[-1])
        ties = [winner]
    else:
        best = np.flatnonzero((values == values.max()) & terms.inside)
        winner, ties = int(best[0]), best.tolist()
    terms.weight[winner] = 1.0
    facts = {"winner": winner, "ties": ties, "window": _window_of(at)}
    return Terms(terms.index, terms.input, terms.weight, terms.source, terms.inside, facts=facts)


def avg_pool(at: At, index: Index) -> Terms:
    """The mean of the inputs under the window, padding not counted."""
    return mean(at, window_places(at, index, range(index[0], index[0] + 1)))


def global_avg(at: At, index: Index) -> Terms:
    """The mean of the channel's map."""
    return mean(at, all_places(at, index[0]))


def mean(at: At, places: Array) -> Terms:
    """Each real cell times one over how many they are."""
    inside = read(at, places, 0.0).inside
    weight = inside / inside.sum()
    return read(at, places, weight, facts={"counted": int(inside.sum()), "window": _window_of(at)})


def all_places(at: At, channel: int) -> Array:
    """Every place of one channel's map."""
    sizes = at.inputs[0].shape[1:]
    grid = np.indices(sizes).reshape(len(sizes), -1).T
    return np.concatenate([np.full((len(grid), 1), channel), grid], axis=1)


def _window_of(at: At) -> list[int]:
    shape = at.node.input_shapes[0]
    kernel = at.layer.geometry(shape).kernel if hasattr(at.layer, "geometry") else shape[1:]
    return [1, *kernel]


def same(at: At, index: Index) -> Terms:
    """The number goes through as it is."""
    return one(at, index)


def flatten(at: At, index: Index) -> Terms:
    """The number goes through; only its place is told otherwise."""
    place = np.unravel_index(index[0], at.inputs[0].shape)
    return one(at, tuple(int(i) for i in place))


def moved(at: At, index: Index) -> Terms:
    """The number at a place before padding, or those between which it was upsampled."""
    along = matrices_of(at.layer, at.node.input_shapes[0])
    rows = [matrix[i] for matrix, i in zip(along, index[1:], strict=True)]
    chosen = [np.flatnonzero(row) for row in rows]
    if not all(map(len, chosen)):
        outside = [-1] * len(rows)
        return read(at, np.array([[index[0], *outside]]), 1.0)
    grid = np.stack(np.meshgrid(*chosen, indexing="ij"), axis=-1).reshape(-1, len(rows))
    weight = np.prod([row[place] for row, place in zip(rows, grid.T, strict=True)], axis=0)
    places = np.concatenate([np.full((len(grid), 1), index[0]), grid], axis=1)
    return read(at, places, weight)


def reshaped(at: At, index: Index) -> Terms:
    """The number goes through; only its place is told otherwise."""
    shape = at.node.input_shapes[0]
    source = order_of(at.layer, shape)[np.ravel_multi_index(index, at.node.output)]
    return one(at, tuple(int(i) for i in np.unravel_index(source, shape)))


def batch_norm(at: At, index: Index) -> Terms:
    """(x - mean) x scale + bias, with scale = weight / sqrt(variance + epsilon)."""
    p, channel = at.parameters, index[0]
    average, variance = (float(p[name][channel]) for name in ("running_mean", "running_var"))
    deviation = float(np.sqrt(variance + at.layer.epsilon))
    scale = float(p["weight"][channel]) / deviation
    bias = at.bias((channel,))
    shift = Constant("- mean x scale", -average * scale)
    facts = {
        "mean": average,
        "variance": variance,
        "epsilon": at.layer.epsilon,
        "deviation": deviation,
        "weight": p["weight"][channel],
        "folded": {"scale": scale, "shift": bias[0].value - average * scale},
    }
    return one(at, index, scale, constants=(shift, *bias), facts=facts)


def layer_norm(at: At, index: Index) -> Terms:
    """(x - mean of the place's channels) x scale + bias: each channel has a share in the mean."""
    p, channel = at.parameters, index[0]
    column = np.moveaxis(at.inputs[0], 0, -1)[index[1:]].astype(np.float64)
    deviation = float(np.sqrt(column.var() + at.layer.epsilon))
    scale = float(p["weight"][channel]) / deviation
    own = np.arange(len(column)) == channel
    places = np.array([(c, *index[1:]) for c in range(len(column))], np.int64)
    facts = {
        "mean": column.mean(),
        "variance": column.var(),
        "epsilon": at.layer.epsilon,
        "deviation": deviation,
        "weight": p["weight"][channel],
        "scale": scale,
    }
    weight = (own - 1 / len(column)) * scale
    return read(at, places, weight, constants=at.bias((channel,)), facts=facts)


def embedding(at: At, index: Index) -> Terms:
    """The word's row of the table: 1 for that word, 0 for all others, times the table's column."""
    place = index[1] + getattr(at.layer, "begin", 0)
    word = int(at.inputs[0][place])
    terms = one(at, (place,), float(at.parameters["weight"][word, index[0]]))
    facts = {"word": word, "dimension": index[0]}
    hot = np.ones(1)
    return Terms(terms.index, hot, terms.weight, terms.source, terms.inside, facts=facts)


def log_mel(at: At, index: Index) -> Terms:
    """The logarithm of a band's energy: each sample of the frame times what it adds to that energy.

    The energy is a sum of squares; a sample's weight is half the energy's slope by it, so that
    samples x weights add up to the energy.
    """
    settings, (_, frame, band) = MelSettings.of(at.layer), index
    samples = at.inputs[0]
    count, begin = settings.size, frame * settings.hop
    hann, mel = spectrogram.window_of(settings), spectrogram.mel_map(settings)[band]
    spectrum = np.fft.rfft(samples.ravel()[begin : begin + count].astype(np.float64) * hann)
    whole = np.zeros(count, np.complex128)
    whole[: settings.bins] = mel * spectrum
    weight = np.fft.ifft(whole).real * count * hann
    places = np.zeros((count, samples.ndim), np.int64)
    places[:, -1] = begin + np.arange(count)
    heard = np.flatnonzero(mel)
    hertz = heard * settings.rate / count
    facts = {
        "frame": frame,
        "band": band,
        "hertz": hertz,
        "power": np.abs(spectrum[heard]) ** 2,
        "share": mel[heard],
    }
    floor = Constant("floor", spectrogram.FLOOR)
    return read(at, places, weight, constants=(floor,), function="ln", facts=facts)


def position_bias(at: At, index: Index) -> Terms:
    """The number plus its place's bias."""
    place = index[1:] or index
    return one(at, index, constants=at.bias(place))


def add(at: At, index: Index) -> Terms:
    """The same cell of every input, added up."""
    return together([one(at, index, source=k) for k in range(len(at.inputs))])


def multiply(at: At, index: Index) -> Terms:
    """The same cell of every input, multiplied; (C,) counts for all places of its channel."""
    parts = [one(at, index[: at.inputs[k].ndim], source=k) for k in range(len(at.inputs))]
    return together(parts, "product")


def concat(at: At, index: Index) -> Terms:
    """The number goes through from the input whose channels stand here."""
    channel = index[0]
    for source, values in enumerate(at.inputs):
        if channel < len(values):
            return one(at, (channel, *index[1:]), source=source)
        channel -= len(values)
    raise IndexError(index)


def opaque(at: At, index: Index) -> Terms:
    """No terms: the number is another library's own, as it is."""
    empty = np.zeros(0)
    name = f"{at.layer.by}'s {at.layer.operator}"
    return Terms(
        np.zeros((0, len(index)), np.int64),
        empty,
        empty,
        empty.astype(np.int64),
        empty.astype(bool),
        constants=(Constant(f"what {name} gives", float(at.output[index])),),
        facts={
            "operator": at.layer.operator,
            "by": at.layer.by,
            "formula": f"computed by {name}; beak does not open it",
        },
    )


TERMS: dict[str, Callable[[At, Index], Terms]] = {
    "Conv1D": convolution,
    "Conv2D": convolution,
    "MaxPool1D": max_pool,
    "MaxPool2D": max_pool,
    "AvgPool1D": avg_pool,
    "AvgPool2D": avg_pool,
    "GlobalMaxPool": global_max,
    "GlobalAvgPool": global_avg,
    "Flatten": flatten,
    "Pad": moved,
    "Upsample": moved,
    "Reshape": reshaped,
    "Dense": dense,
    "BatchNorm": batch_norm,
    "LayerNorm": layer_norm,
    "Dropout": same,
    "Activation": same,
    "Embedding": embedding,
    "LogMel": log_mel,
    "PositionBias": position_bias,
    "Add": add,
    "Concat": concat,
    "Multiply": multiply,
    "Opaque": opaque,
}
"""How a number comes about, by kind of layer: each layer of the catalogue has a row."""

FORMULAS = {
    "Conv1D": "sum of inputs x weights + bias",
    "Conv2D": "sum of inputs x weights + bias",
    "MaxPool1D": "the largest input of the window",
    "MaxPool2D": "the largest input of the window",
    "AvgPool1D": "mean of the window's inputs",
    "AvgPool2D": "mean of the window's inputs",
    "GlobalMaxPool": "the largest input of the map",
    "GlobalAvgPool": "mean of the map's inputs",
    "Flatten": "the input, at another place",
    "Pad": "the input, at another place, or 0",
    "Upsample": "the input nearest, or a mean of those about it",
    "Reshape": "the input, at another place",
    "Dense": "sum of inputs x weights + bias",
    "BatchNorm": "(input - mean) x weight / sqrt(variance + epsilon) + bias",
    "LayerNorm": "(input - mean of channels) x weight / sqrt(variance + epsilon) + bias",
    "Dropout": "the input (dropout does nothing in prediction)",
    "Activation": "a function of the input",
    "Embedding": "the word's number in the table",
    "LogMel": "ln of the band's energy, to which each sample of the frame adds",
    "PositionBias": "input + this place's bias",
    "Add": "sum of the inputs",
    "Concat": "the input, behind the channels of others",
    "Multiply": "product of the inputs",
    "Opaque": "computed by another library; beak does not open it",
}
"""In words, for captions and pages."""
