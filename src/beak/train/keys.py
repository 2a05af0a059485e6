"""The keys of a recipe: what type and range each has, reading them from words, checking them.

A recipe is nested frozen dataclasses; here their fields become a flat table of dotted keys
(``optimiser.learning_rate``), which files, ``--set`` and the documentation all use.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import types
import typing
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.errors import RecipeError, did_you_mean

TRUE_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def setting(
    default: Any,
    about: str,
    *,
    low: float | None = None,
    high: float | None = None,
    below: float | None = None,
    choices: tuple[str, ...] | None = None,
    kind: str | None = None,
) -> Any:
    """A dataclass field with its default, one line about it, and what values it may have.

    ``low`` and ``high`` may be reached, ``below`` not. A list's items are each held to them.
    ``kind``: the only kind of input that it is for.
    """
    limits = {
        "about": about, "low": low, "high": high, "below": below, "choices": choices, "kind": kind,
    }  # fmt: skip
    return dataclasses.field(default=default, metadata=limits)


@dataclass(frozen=True)
class Key:
    """One dotted key of a recipe."""

    name: str
    type: Any
    """int, float, bool, str, or ``tuple[item, ...]`` / ``tuple[a, b]``."""
    default: Any
    limits: Mapping[str, Any]

    def concerns(self, kind: str) -> bool:
        """Whether it means anything for inputs of this kind ("auto": not known yet)."""
        mine = self.limits.get("kind")
        return mine is None or kind in ("auto", mine)

    def checked(self, value: Any) -> Any:
        """The value in this key's type; RecipeError where it is another or out of range."""
        taken = _as_type(value, self.type)
        if taken is _WRONG:
            raise RecipeError(f"{self.name} = {_shown(value)}: wanted {type_words(self.type)}")
        for item in taken if isinstance(taken, tuple) else (taken,):
            if complaint := _out_of_range(item, self.limits):
                raise RecipeError(f"{self.name} = {_shown(value)}: {complaint}")
        return taken

    def parsed(self, text: str) -> Any:
        """The value of a word from the command line, read by this key's type."""
        value = _from_words(text.strip(), self.type)
        if value is _WRONG:
            raise RecipeError(f"{self.name}={text}: wanted {type_words(self.type)}")
        return self.checked(value)


_WRONG = object()


def keys_of(recipe: type[Any]) -> dict[str, Key]:
    """Every dotted key of a dataclass of dataclasses, in order."""
    return _keys_of(typing.cast("Hashable", recipe), "")


@functools.cache
def _keys_of(recipe: Hashable, prefix: str) -> dict[str, Key]:
    assert isinstance(recipe, type)
    hints = typing.get_type_hints(recipe)
    found: dict[str, Key] = {}
    for field in dataclasses.fields(recipe):
        name, kind = prefix + field.name, hints[field.name]
        if dataclasses.is_dataclass(kind):
            found |= _keys_of(typing.cast("Hashable", kind), name + ".")
        else:
            default = field.default
            if field.default_factory is not dataclasses.MISSING:
                default = field.default_factory()
            found[name] = Key(name, kind, default, field.metadata)
    return found


def known_key(recipe: type[Any], name: str) -> Key:
    """The key of that name; RecipeError with the nearest known one where there is none."""
    keys = keys_of(recipe)
    if name in keys:
        return keys[name]
    tables = {key.partition(".")[0] for key in keys if "." in key}
    if name in tables:
        raise RecipeError(f"{name} is a table of keys: write {name}.<key>{_near(name + '.', keys)}")
    raise RecipeError(f"unknown key {name!r}{_near(name, keys)}")


def _near(name: str, keys: Mapping[str, Key]) -> str:
    """What may have been meant: in its own table, under another table, or nearest by spelling."""
    table, dot, leaf = name.rpartition(".")
    leaves = {key.rpartition(".")[2]: key for key in keys if dot and key.startswith(table + ".")}
    if leaves:
        near = _meant(leaf, leaves)
        return near or f"; known in [{table}]: {', '.join(leaves)}"
    everywhere = {key.rpartition(".")[2]: key for key in keys}
    same_leaf = [key for key in keys if key.rpartition(".")[2] == leaf]
    near = _meant(name, {key: key for key in (same_leaf if dot and same_leaf else keys)})
    if same_leaf and not (dot and near):
        return f"; did you mean {' or '.join(repr(key) for key in same_leaf)}?"
    tables = sorted({key.partition(".")[0] for key in keys if "." in key})
    known = f"; known: {', '.join(k for k in keys if '.' not in k)} and the tables "
    return near or _meant(leaf, everywhere) or known + ", ".join(tables)


def _meant(word: str, names: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(word.lower(), list(names), n=1, cutoff=0.7)
    return f"; did you mean {names[near[0]]!r}?" if near else ""


def type_words(kind: Any) -> str:
    """A type as a person says it.

    >>> type_words(tuple[int, ...])
    'a list of whole numbers'
    """
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    if kind in words:
        return words[kind]
    arguments = typing.get_args(kind)
    if isinstance(kind, types.UnionType):
        return " or ".join(type_words(a) for a in arguments if a is not type(None))
    plural = {int: "whole numbers", float: "numbers", str: "texts", bool: "true or false"}
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return f"a list of {plural[arguments[0]]}"
    return f"a list of {len(arguments)} {plural[arguments[0]]}"


def _as_type(value: Any, kind: Any) -> Any:
    if kind in (int, float) and isinstance(value, int | np.integer) and type(value) is not bool:
        return kind(value)
    if kind in (int, float, bool, str):
        mixed = isinstance(value, bool) and kind is not bool  # True is an int in Python
        return kind(value) if isinstance(value, kind) and not mixed else _WRONG
    if isinstance(kind, types.UnionType):
        tries = [_as_type(value, a) for a in typing.get_args(kind) if a is not type(None)]
        return next((taken for taken in tries if taken is not _WRONG), _WRONG)
    if not isinstance(value, list | tuple):
        return _WRONG
    arguments = typing.get_args(kind)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        arguments = (arguments[0],) * len(value)
    if len(arguments) != len(value):
        return _WRONG
    items = tuple(_as_type(item, a) for item, a in zip(value, arguments, strict=True))
    return _WRONG if any(item is _WRONG for item in items) else items


def _from_words(text: str, kind: Any) -> Any:
    if kind is str:
        return text
    if kind is bool:
        return TRUE_WORDS.get(text.lower(), _WRONG)
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            return _WRONG
    if isinstance(kind, types.UnionType):
        tries = [_from_words(text, a) for a in typing.get_args(kind) if a is not type(None)]
        return next((taken for taken in tries if taken is not _WRONG), _WRONG)
    item = typing.get_args(kind)[0]
    words = [word for word in text.strip("[]() ").replace(",", " ").split() if word]
    items = [_from_words(word.strip("\"'"), item) for word in words]
    return _WRONG if any(i is _WRONG for i in items) else items


def _out_of_range(value: Any, limits: Mapping[str, Any]) -> str | None:
    low, high, below = limits.get("low"), limits.get("high"), limits.get("below")
    choices = limits.get("choices")
    if choices and value not in choices:
        return f"unknown{did_you_mean(str(value), choices)}"
    if isinstance(value, float) and not math.isfinite(value):
        return "wanted a finite number"
    if isinstance(value, str | bool):
        return None
    if (
        (low is not None and value < low)
        or (high is not None and value > high)
        or (below is not None and value >= below)
    ):
        return f"wanted {_range_words(low, high, below)}"
    return None


def _range_words(low: float | None, high: float | None, below: float | None) -> str:
    parts = [] if low is None else [f"at least {low:g}"]
    parts += [] if high is None else [f"at most {high:g}"]
    parts += [] if below is None else [f"below {below:g}"]
    return " and ".join(parts)


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
