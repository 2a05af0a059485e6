"""The networks of the catalogue: each made for any input shape and number of classes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from beak.errors import ShapeError, UsageError, did_you_mean
from beak.network.go import alphago_policy, go_dense, go_small
from beak.network.layer import Shape, count, whole
from beak.network.layers import (
    Activation,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    MaxPool2D,
)
from beak.network.network import Network, input_shape
from beak.network.resnet import resnet
from beak.network.sentences import (
    make_characters,
    make_sentence,
    make_sentence_pairs,
    make_sentence_wide,
)
from beak.network.speech import (
    make_cnn_one_fpool3,
    make_cnn_one_fstride4,
    make_cnn_trad_fpool3,
    make_keyword,
    make_spectrogram_frequency,
)
from beak.network.writers import Written


@dataclass(frozen=True)
class Entry:
    """One network of the catalogue."""

    name: str
    description: str
    make: Callable[..., Network]
    least: int = 1
    """The least height and width of a picture that it takes."""
    words: bool = False
    """Whether it reads the word numbers of a text, one behind the other."""
    usual: Shape = (1, 28, 28)
    """An input to show its sizes for."""
    classes: int = 10
    """How many classes to show its sizes for."""


def make_network(name: str, input_shape: Sequence[int], classes: int, **options: Any) -> Network:
    """A network of the catalogue for this input and this many classes.

    UsageError names the nearest network or option where one is unknown; ShapeError says the least
    size where the input is too small.

    >>> make_network("lecture", (1, 28, 28), 10).parameter_count
    137660
    """
    known = options_of(name)
    entry = CATALOGUE[name]
    for option in options:
        if option not in known:
            hint = did_you_mean(option, known) if known else "; it takes none"
            raise UsageError(f"network {name!r}: unknown option {option!r}{hint}")
    shape = _shape(name, input_shape, entry.least)
    return entry.make(shape, whole(classes, f"{name}: classes", least=2), **options)


def options_of(name: str) -> list[str]:
    """The options that a network of the catalogue takes; UsageError where there is no such one.

    >>> options_of("allconv")
    ['width']
    """
    entry = CATALOGUE.get(name)
    if entry is None:
        raise UsageError(f"no network {name!r}{did_you_mean(str(name), CATALOGUE)}")
    return list(inspect.signature(entry.make).parameters)[2:]


def _shape(name: str, value: Sequence[int], least: int) -> Shape:
    shape = input_shape(value)
    if name in ("dense", "linear"):
        return shape
    if CATALOGUE[name].words:
        if len(shape) != 1:
            raise ShapeError(f"network {name!r} reads texts: word numbers (length,), not {shape}")
        return shape
    if len(shape) != 3:
        raise ShapeError(
            f"network {name!r} reads pictures (channels, height, width), not {shape}; "
            "'dense' and 'linear' take any shape"
        )
    if min(shape[1:]) < least:
        raise ShapeError(
            f"network {name!r} needs pictures of at least {least}x{least}, not "
            f"{shape[1]}x{shape[2]}{_last(shape)}; 'dense' and 'linear' take any size"
        )
    return shape


def _last(shape: Shape) -> str:
    """A hint where the channels seem to stand last."""
    if shape[2] > 4 or shape[0] <= 4:
        return ""
    return f" (channels come first: {shape[2]},{shape[0]},{shape[1]})"


def _lecture(input: Shape, classes: int, *, activation: str | None = "relu") -> Network:
    layers = [
        Conv2D(25, 3, activation=activation),
        MaxPool2D(2),
        Conv2D(50, 3, activation=activation),
        MaxPool2D(2),
        Flatten(),
        Dense(100, activation="relu"),
        Dense(classes, activation="softmax"),
    ]
    return Network(input, layers)


def _make_lecture(input: Shape, classes: int) -> Network:
    return _lecture(input, classes)


def _make_lecture_linear(input: Shape, classes: int) -> Network:
    return _lecture(input, classes, activation=None)


def _make_linear(input: Shape, classes: int) -> Network:
    return Network(input, [Flatten(), Dense(classes, activation="softmax")])


def _make_dense(
    input: Shape, classes: int, like: Network | None = None, hidden: int | None = None
) -> Network:
    """One hidden layer; its size from ``hidden``, or so that the parameters equal ``like``'s."""
    if hidden is None:
        wanted = like.parameter_count if like is not None else 100_000
        # inputs*h + h of the first layer and h*classes + classes of the second
        hidden = max(1, round((wanted - classes) / (count(input) + 1 + classes)))
        if like is None:
            hidden = min(max(hidden, 16), 128)
    layers = [Flatten(), Dense(hidden, activation="relu"), Dense(classes, activation="softmax")]
    return Network(input, layers)


def _make_lenet5(input: Shape, classes: int) -> Network:
    padding = 2 if min(input[1:]) < 32 else 0
    layers = [
        Conv2D(6, 5, padding=padding, activation="relu"),
        MaxPool2D(2),
        Conv2D(16, 5, activation="relu"),
        MaxPool2D(2),
        Flatten(),
        Dense(120, activation="relu"),
        Dense(84, activation="relu"),
        Dense(classes, activation="softmax"),
    ]
    return Network(input, layers)


def _make_allconv(input: Shape, classes: int, width: int = 96) -> Network:
    def stage(filters: int) -> list[Written]:
        return [
            Conv2D(filters, 3, padding=1, activation="relu"),
            Conv2D(filters, 3, padding=1, activation="relu"),
            Conv2D(filters, 3, stride=2, padding=1, activation="relu"),
            Dropout(0.5),
        ]

    layers = [
        Dropout(0.2),
        *stage(width),
        *stage(2 * width),
        Conv2D(2 * width, 3, padding=1, activation="relu"),
        Conv2D(2 * width, 1, activation="relu"),
        Conv2D(classes, 1),
        GlobalAvgPool(),
        Activation("softmax"),
    ]
    return Network(input, layers)


def _make_resnet8(
    input: Shape,
    classes: int,
    width: int = 16,
    stages: int = 3,
    stem_stride: int = 1,
    stem_pool: bool = False,
    dropout: float = 0.0,
) -> Network:
    return resnet(input, classes, [1] * stages, width, stem_stride, stem_pool, dropout)


def _make_resnet20(
    input: Shape,
    classes: int,
    width: int = 16,
    stages: int = 3,
    stem_stride: int = 1,
    stem_pool: bool = False,
    dropout: float = 0.0,
) -> Network:
    return resnet(input, classes, [3] * stages, width, stem_stride, stem_pool, dropout)


_ENTRIES = (
    Entry("lecture", "the lecture's network, with ReLU after the convolutions", _make_lecture, 10),
    Entry(
        "lecture-linear",
        "as on the slide: no activation after the convolutions",
        _make_lecture_linear,
        10,
    ),
    Entry(
        "dense",
        "fully connected, one hidden layer; as many parameters as a given other network",
        _make_dense,
    ),
    Entry("linear", "one fully connected layer: the baseline", _make_linear),
    Entry(
        "lenet5",
        "LeCun et al. 1998, with ReLU and max pooling as it is usually built today",
        _make_lenet5,
        12,
    ),
    Entry(
        "allconv",
        "All-CNN-C of Springenberg et al. 2015: strides in place of pooling",
        _make_allconv,
        8,
    ),
    Entry(
        "resnet8",
        "residual, 8 layers, 16 to 64 filters, as He et al. 2016 for CIFAR",
        _make_resnet8,
        8,
    ),
    Entry(
        "resnet20",
        "residual, 20 layers, 16 to 64 filters: He et al. 2016 for CIFAR",
        _make_resnet20,
        8,
    ),
    Entry("keyword", "residual, for spectrograms of words: frames x bands", make_keyword, 8),
    Entry(
        "cnn-trad-fpool3",
        "Sainath and Parada 2015: two convolutions, pooled along frequency",
        make_cnn_trad_fpool3,
        20,
    ),
    Entry(
        "cnn-one-fpool3",
        "Sainath and Parada 2015: one convolution as long as the window, pooled along frequency",
        make_cnn_one_fpool3,
        10,
    ),
    Entry(
        "cnn-one-fstride4",
        "Sainath and Parada 2015: one convolution as long as the window, in steps of four bands",
        make_cnn_one_fstride4,
        8,
    ),
    Entry(
        "spectrogram-frequency",
        "the lecture's: filters as long as the window that move along frequency; axis=time, both",
        make_spectrogram_frequency,
        8,
    ),
    Entry(
        "sentence",
        "Kim 2014: word vectors, windows of 3, 4 and 5 words, the largest answer of each filter",
        make_sentence,
        words=True,
        usual=(60,),
    ),
    Entry(
        "sentence-wide",
        "the same with windows of 2 to 7 words, after Zhang and Wallace 2015",
        make_sentence_wide,
        words=True,
        usual=(60,),
    ),
    Entry(
        "sentence-pairs",
        "windows, and beside them a vote of each word and pair of words (Wang and Manning 2012)",
        make_sentence_pairs,
        words=True,
        usual=(180,),
    ),
    Entry(
        "characters",
        "the bytes of a text: for languages without spaces, and for noisy text",
        make_characters,
        words=True,
        usual=(400,),
    ),
    Entry(
        "alphago-policy",
        "Go: AlphaGo's policy network, Silver et al. 2016: 13 layers, 192 filters",
        alphago_policy,
        5,
        usual=(48, 19, 19),
        classes=361,
    ),
    Entry(
        "go-small",
        "Go: residual, less than a million parameters, for a laptop",
        go_small,
        5,
        usual=(48, 19, 19),
        classes=361,
    ),
    Entry(
        "go-dense",
        "Go: fully connected, as many parameters as go-small or a given other network",
        go_dense,
        5,
        usual=(48, 19, 19),
        classes=361,
    ),
)
CATALOGUE: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}
