"""What holds for the whole session: the data format, the random numbers, what was said already."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from beak.errors import NetworkError, UsageError, did_you_mean

FORMATS = ("channels_last", "channels_first")


class _State:
    data_format = "channels_last"
    names: ClassVar[Counter[str]] = Counter()
    said: ClassVar[set[str]] = set()
    seed: int | None = None
    random = np.random.default_rng()


def image_data_format() -> str:
    """Where channels stand if a layer does not say: "channels_last", unless it was changed."""
    return _State.data_format


def set_image_data_format(data_format: str) -> None:
    """Change where channels stand if a layer does not say."""
    if data_format not in FORMATS:
        raise UsageError(
            f"data_format {data_format!r}; 'channels_last' or 'channels_first' was wanted"
        )
    _State.data_format = data_format


def data_format_of(value: str | None) -> str:
    """A layer's ``data_format``: what it says, or what holds for the session."""
    if value is None:
        return _State.data_format
    if value not in FORMATS:
        raise UsageError(f"data_format={value!r}; 'channels_last' or 'channels_first' was wanted")
    return value


def floatx() -> str:
    """The number type of everything: "float32"."""
    return "float32"


def set_floatx(value: str) -> None:
    """Refused unless it is "float32"."""
    if value != "float32":
        raise UsageError(f"floatx {value!r} is not in beak; nearest: 'float32'")


def epsilon() -> float:
    """The small number that keeps logarithms and divisions finite: 1e-7."""
    return 1e-7


def backend() -> str:
    """The engine's name: "beak"."""
    return "beak"


def clear_session(free_memory: bool = True) -> None:
    """Begin names anew: the next Conv2D is conv2d again."""
    _State.names.clear()


def set_random_seed(seed: int) -> None:
    """Make everything random start from this seed: weights, shuffling, dropout, augmentation.

    Python's and NumPy's own random numbers are set too, as Keras does.
    """
    import random

    _State.seed = int(seed)
    _State.random = np.random.default_rng(int(seed))
    random.seed(seed)
    np.random.seed(seed)


def random() -> np.random.Generator:
    """Where this session's random numbers come from."""
    return _State.random


def draw_seed() -> int:
    """A number for a stream of its own."""
    return int(_State.random.integers(2**31))


def unique_name(base: str) -> str:
    """conv2d, conv2d_1, conv2d_2, …"""
    number = _State.names[base]
    _State.names[base] += 1
    return base if number == 0 else f"{base}_{number}"


def note(text: str) -> None:
    """Say something once a session, on the error output."""
    if text not in _State.said:
        _State.said.add(text)
        print(f"beak: {text}", file=sys.stderr)


def refuse(what: str, nearest: str = "") -> NetworkError:
    """What is said of a thing that is not here; to be raised."""
    return NetworkError(f"{what} is not in beak" + (f"; nearest: {nearest}" if nearest else ""))


def lacks(thing: object, method: str) -> UsageError:
    """The error where a class of one's own leaves out what its base asks for."""
    return UsageError(f"{type(thing).__name__} is a class of your own: it has to define {method}")


def missing(module: str, known: Sequence[str], nearest: dict[str, str]) -> Callable[[str], Any]:
    """A module's ``__getattr__`` that refuses by name what Keras has there and beak has not."""

    def getattr_(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in nearest:
            near = f"; nearest: {nearest[name]}"
        else:
            near = did_you_mean(name, [n for n in known if not n.startswith("_")])
        raise AttributeError(f"keras.{module}.{name} is not in beak{near}")

    return getattr_
