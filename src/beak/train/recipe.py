"""A recipe: everything besides the raw files that decides a training's result, as plain data.

In a file it is TOML, ``recipe.toml``; every run keeps the one it was made with, and that file
alone, given back with ``beak train --recipe``, makes the same run again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from beak.data.augment import Augmentation
from beak.data.kinds import CHOICES
from beak.engine.interface import Loss, Optimiser
from beak.errors import RecipeError, UsageError
from beak.ops.go_board.planes import PLANE_SETS
from beak.train.keys import keys_of, known_key, setting
from beak.train.toml import read_toml, write_toml

OF_NETWORK = "network."
"""What an option of the network is written with: network.width."""


@dataclass(frozen=True)
class DataRecipe:
    """Which raw files, and how they become the network's input; empty means: from the files."""

    source: str = setting("", "built-in name, folder or file")
    kind: str = setting("auto", "what the files are", choices=("auto", *CHOICES))
    directory: str = setting("", "folder that holds a built-in set's files")
    size: tuple[int, ...] = setting(
        (), "height and width that pictures are brought to", low=1, kind="pictures"
    )
    channels: int = setting(
        0, "1 grey, 3 colour, 0: as the files are", low=0, high=4, kind="pictures"
    )
    fit: str = setting(
        "auto", "pictures of another shape: pad, crop or stretch them",
        choices=("auto", "pad", "crop", "stretch"), kind="pictures",
    )  # fmt: skip
    rate: int = setting(0, "samples a second; 0: from the files", low=0, kind="sounds")
    seconds: float = setting(
        0.0, "length of one input; 0: from the files", low=0, high=60, kind="sounds"
    )
    bands: int = setting(0, "mel bands; 0: 40", low=0, high=256, kind="sounds")
    features: str = setting(
        "auto", "what the network reads: log-mel or samples",
        choices=("auto", "log-mel", "samples"), kind="sounds",
    )  # fmt: skip
    level: str = setting(
        "auto", "loudness: kept as recorded, or even",
        choices=("auto", "kept", "even"), kind="sounds",
    )  # fmt: skip
    only: tuple[str, ...] = setting(
        (), "labels to tell apart; all others become one, unknown; []: all", kind="sounds"
    )
    unit: str = setting(
        "auto", "what a text is read as: words, words and pairs of them, bytes",
        choices=("auto", "pairs", "words", "bytes"), kind="texts",
    )  # fmt: skip
    lower: bool = setting(True, "capital letters count as small ones", kind="texts")
    text: str = setting("", "column of the texts, by name or number", kind="texts")
    label: str = setting("", "column of the labels, likewise", kind="texts")
    encoding: str = setting("auto", "of the files; auto: UTF-8, else Latin-1", kind="texts")
    words: int = setting(0, "most words of a vocabulary; 0: 30,000", low=0, kind="texts")
    length: int = setting(
        0, "words of a text that are read; 0: as the texts are", low=0, kind="texts"
    )
    vectors: str = setting("", "file of word vectors: word2vec, GloVe, fastText", kind="texts")
    planes: str = setting(
        "alphago", "planes that a position is read as", choices=tuple(PLANE_SETS), kind="go"
    )
    passes: bool = setting(False, "passes are moves to learn too", kind="go")
    min_moves: int = setting(0, "games with fewer moves are left out", low=0, kind="go")
    min_rank: str = setting("", "games with a weaker player are left out: 6d, 2k, 1p", kind="go")
    decided: bool = setting(False, "games without a known result are left out", kind="go")
    handicap: bool = setting(True, "games with handicap are taken too", kind="go")
    games: int = setting(0, "games to train on at most; 0: all", low=0, kind="go")
    held_out: int = setting(
        10_000, "positions that validation, and the test, count; 0: all of their games", low=0,
        kind="go",
    )  # fmt: skip


@dataclass(frozen=True)
class OptimiserRecipe:
    """How gradients change the weights."""

    kind: str = setting("adamw", "update rule", choices=("sgd", "adam", "adamw"))
    learning_rate: float = setting(0.002, "the schedule's highest rate", low=0)
    weight_decay: float = setting(0.01, "pull of weights to zero", low=0)
    momentum: float = setting(0.9, "sgd: share of the last step kept", low=0, below=1)
    nesterov: bool = setting(True, "sgd: look ahead along the momentum")
    beta1: float = setting(0.9, "adam, adamw: memory of the gradient", low=0, below=1)
    beta2: float = setting(0.999, "adam, adamw: memory of its square", low=0, below=1)
    epsilon: float = setting(1e-8, "adam, adamw: added to the divisor", low=0)
    clip_norm: float = setting(0.0, "longest gradient (L2); 0: no limit", low=0)


@dataclass(frozen=True)
class ScheduleRecipe:
    """How the learning rate moves over the steps."""

    kind: str = setting(
        "one-cycle", "course of the rate", choices=("constant", "cosine", "one-cycle")
    )
    warmup: float = setting(0.25, "fraction of the steps in which the rate rises", low=0, below=1)
    start: float = setting(0.04, "first rate, as a fraction of the highest", low=0, high=1)
    end: float = setting(1e-4, "last rate, as a fraction of the highest", low=0, high=1)


@dataclass(frozen=True)
class LossRecipe:
    """Cross-entropy and what is added to it."""

    label_smoothing: float = setting(0.0, "share spread over all classes", low=0, below=1)
    balance: bool = setting(False, "weigh classes so that each counts the same")
    class_weights: tuple[float, ...] = setting((), "a weight for each class", low=0)


@dataclass(frozen=True)
class EarlyStopping:
    """Ending before the last epoch where validation no longer gets better."""

    patience: int = setting(0, "epochs without a better validation loss; 0: off", low=0)


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; every field has a key of the same name in ``recipe.toml``."""

    network: str = setting("auto", "name, file or the network's own JSON")
    epochs: int = setting(20, "times that every example is seen", low=1)
    batch: int = setting(64, "examples in a step", low=1)
    sample: int = setting(0, "examples drawn for an epoch, others each time; 0: all", low=0)
    seed: int = setting(0, "where every random number comes from", low=0, high=2**63 - 1)
    average: float = setting(0.0, "decay of the averaged weights (EMA); 0: off", low=0, below=1)
    folds: int | str = setting(0, "parts of a cross-validation, or what to deal by; 0: off", low=0)
    exact: bool = setting(False, "direct sums: no Winograd, no folded norms; slower")
    keep_epochs: int = setting(
        8, "epochs whose weights are kept to look at, early ones closest; 0: none", low=0
    )
    compare: str = setting("", "another network to train beside")
    baseline: bool = setting(True, "train a linear classifier beside")
    data: DataRecipe = field(default_factory=DataRecipe)
    optimiser: OptimiserRecipe = field(default_factory=OptimiserRecipe)
    schedule: ScheduleRecipe = field(default_factory=ScheduleRecipe)
    loss: LossRecipe = field(default_factory=LossRecipe)
    augmentation: Augmentation = field(default_factory=Augmentation)
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)

    def __post_init__(self) -> None:
        """Check every value, also those given in Python; RecipeError names the key."""
        for name, key in keys_of(Recipe).items():
            key.checked(value_at(self, name))
        if self.folds in (1, ""):
            raise RecipeError(f"folds = {self.folds!r}: wanted 0 (off) or at least 2")
        for name, key in keys_of(Recipe).items():
            if not key.concerns(self.data.kind) and value_at(self, name) != key.default:
                raise RecipeError(f"{name} is for {key.limits['kind']}, not {self.data.kind}")
        if len(self.data.size) not in (0, 2):
            raise RecipeError(f"data.size = {list(self.data.size)}: wanted [height, width] or []")
        if self.loss.balance and self.loss.class_weights:
            raise RecipeError("loss.balance and loss.class_weights are both given: leave one out")

    def drawn(self, examples: int) -> int:
        """How many of so many examples an epoch sees."""
        return min(self.sample, examples) if self.sample else examples

    def to_json(self) -> dict[str, Any]:
        """Nested plain values, lists for tuples."""
        return {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}

    def to_toml(self, comments: bool = True) -> str:
        """The recipe as TOML, every key of its kind of input written; reads back equal."""
        keys, content = keys_of(Recipe), self.to_json()
        about = {name: key.limits.get("about", "") for name, key in keys.items()}
        for table in ("data", "augmentation"):  # without what is for other kinds of input
            content[table] = {
                name: value
                for name, value in content[table].items()
                if keys[f"{table}.{name}"].concerns(self.data.kind)
            }
        return write_toml(content, about if comments else {})

    @classmethod
    def from_toml(cls, text: str, name: str = "recipe.toml") -> Recipe:
        """A recipe from TOML; keys left out have their default. RecipeError with the line."""
        recipe = cls()
        try:
            return with_values(recipe, read_values(text, name))
        except RecipeError as error:
            message = str(error)
            raise RecipeError(
                message if message.startswith(name) else f"{name}: {message}"
            ) from None

    def engine_optimiser(self) -> Optimiser:
        """The optimiser as the engine takes it."""
        o = self.optimiser
        return Optimiser(
            kind=o.kind, momentum=o.momentum, nesterov=o.nesterov, beta1=o.beta1, beta2=o.beta2,
            epsilon=o.epsilon, weight_decay=o.weight_decay, clip_norm=o.clip_norm or None,
            average=self.average or None,
        )  # fmt: skip

    def engine_loss(self, class_weights: tuple[float, ...] | None = None) -> Loss:
        """The loss as the engine takes it; the weights come from `portions.class_weights`."""
        return Loss(self.loss.label_smoothing, class_weights)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return list(value) if isinstance(value, tuple) else value


def value_at(recipe: Any, name: str) -> Any:
    """The value of a dotted key."""
    for part in name.split("."):
        recipe = getattr(recipe, part)
    return recipe


def with_values(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with some dotted keys changed; RecipeError for an unknown key or a wrong value.

    >>> with_values(Recipe(), {"optimiser.learning_rate": 1}).optimiser.learning_rate
    1.0
    """
    changed: dict[str, Any] = {}
    tables: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        if name.startswith(OF_NETWORK):
            raise RecipeError(f"{name}: a network's options stand in its name: 'resnet8 width=24'")
        taken = known_key(Recipe, name).checked(value)
        table, _, leaf = name.rpartition(".")
        (tables.setdefault(table, {}) if table else changed)[leaf] = taken
    for table, entries in tables.items():
        changed[table] = dataclasses.replace(getattr(recipe, table), **entries)
    return dataclasses.replace(recipe, **changed)


def set_value(recipe: Recipe, name: str, text: str) -> Recipe:
    """The recipe with one key set from a word, read by the key's type (``--set``).

    >>> set_value(Recipe(), "data.size", "32,32").data.size
    (32, 32)
    """
    return with_values(recipe, {name: known_key(Recipe, name).parsed(text)})


def read_values(text: str, name: str) -> dict[str, Any]:
    """The keys that a recipe's TOML gives, checked one by one; RecipeError names file and line."""
    flat, lines = read_toml(text, name)
    values = {}
    for key, value in flat.items():
        try:
            if key.startswith(OF_NETWORK):
                values[key] = value
                continue
            values[key] = known_key(Recipe, key).checked(value)
            with_values(Recipe(), {key: value})  # the checks of whole tables
        except RecipeError as error:
            raise RecipeError(f"{name} line {lines[key]}: {error}") from None
    return values


def read_file(path: str | Path) -> dict[str, Any]:
    """The keys that a recipe file gives. UsageError where there is no such file."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"{path}: no such recipe file") from None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise RecipeError(f"{path}: not readable as a recipe: {why}") from None
    except UnicodeDecodeError:
        raise RecipeError(f"{path}: not readable as a recipe: not a text in UTF-8") from None
    return read_values(text, str(path))


def parse_settings(settings: Iterable[str]) -> dict[str, Any]:
    """``key=value`` words of ``--set`` to dotted keys and typed values.

    >>> parse_settings(["epochs=3", "loss.label_smoothing=0.1"])
    {'epochs': 3, 'loss.label_smoothing': 0.1}
    """
    values = {}
    for word in settings:
        name, equals, text = word.partition("=")
        if not equals:
            raise RecipeError(f"--set {word}: wanted key=value, such as epochs=10")
        name = name.strip()
        if name.startswith(OF_NETWORK):
            values[name] = option_value(text.strip())
        else:
            values[name] = known_key(Recipe, name).parsed(text)
    return values


def option_value(word: str) -> Any:
    """A network's option read from a word: a number, true or false, or the word itself.

    >>> option_value("64"), option_value("0.5"), option_value("false"), option_value("time")
    (64, 0.5, False, 'time')
    """
    if word in ("true", "false"):
        return word == "true"
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


def network_text(name: str, options: Mapping[str, Any]) -> str:
    """A network of the catalogue as the recipe writes it, with what is not its default.

    >>> network_text("resnet8", {"width": 24, "stem_pool": True})
    'resnet8 width=24 stem_pool=true'
    """
    words = [f"{key}={str(v).lower() if isinstance(v, bool) else v}" for key, v in options.items()]
    return " ".join([name, *words])


def read_network_text(text: str) -> tuple[str, dict[str, Any]]:
    """Name and options of ``network_text``; RecipeError where it is not of that form.

    >>> read_network_text("resnet8 width=24 stem_pool=true")
    ('resnet8', {'width': 24, 'stem_pool': True})
    """
    name, *words = text.split() or [""]
    options = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise RecipeError(f"network = {text!r}: {word!r} is not an option such as width=24")
        options[key] = option_value(value)
    return name, options
