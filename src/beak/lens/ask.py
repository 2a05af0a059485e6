"""The one door of the lens, ``beak.explain(run, input, what=…)``, and the table behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from beak.errors import UsageError, did_you_mean
from beak.lens.activations import activations
from beak.lens.alike import alike
from beak.lens.arithmetic import arithmetic
from beak.lens.explanation import Explanation
from beak.lens.filters import filters
from beak.lens.forgives import forgives
from beak.lens.looks_for import looks_for
from beak.lens.moved import moved
from beak.lens.patches import strongest_patches
from beak.lens.subject import Array, Look, Subject
from beak.lens.twin import twin
from beak.network.network import Network


class OpenedInput(Protocol):
    """One raw input as the network reads it; ``runs.opened`` has such ones."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def inputs(self) -> Array:
        """(1, *shape)."""

    @property
    def kind(self) -> str:
        """The kind of its data, as "pictures"."""

    @property
    def places(self) -> tuple[str, ...]:
        """What its places are called."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to it."""

    def by_name(self, heat: Array) -> Array:
        """A number for each place as one for each of ``places``."""


class Examples(Protocol):
    """Examples by number; ``runs.opened`` has such ones."""

    def __len__(self) -> int:
        """How many."""

    @property
    def labels(self) -> Array:
        """The answer of each, (N,)."""

    def fetch(self, numbers: Array) -> Array:
        """The network's inputs (B, *shape)."""

    def names(self, numbers: Sequence[int]) -> list[str]:
        """What they are called."""


class Trained(Protocol):
    """A trained network; ``beak.load`` gives one."""

    threads: int | None

    @property
    def network(self) -> Network:
        """What is computed."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What the answers are called."""

    @property
    def model(self) -> Any:
        """Its ``parameters`` by name."""

    @property
    def spec(self) -> Any:
        """How inputs are prepared: its ``bounds``."""

    def opened(self, raw: Any) -> OpenedInput:
        """One raw input, prepared."""

    def examples(
        self, source: Any, *, part: str, most: int | None, data_dir: Any = None
    ) -> Examples:
        """A part of a source, prepared."""


Answer = Callable[[Subject, Any, Mapping[str, Any]], Explanation]


@dataclass(frozen=True)
class What:
    """One explanation: a line about it, what it needs, which options it takes, and its function."""

    line: str
    needs: str
    """"input", "examples" or "" (the network alone)."""
    options: tuple[str, ...]
    answer: Answer


def _cell(subject: Subject, look: Look, options: Mapping[str, Any]) -> Explanation:
    node = options.get("layer") or subject.network.nodes[-1].name
    index = options.get("cell")
    if index is None:  # the strongest one says most
        values = look.values[subject.node(node).name]
        index = np.unravel_index(int(np.nan_to_num(values).argmax()), values.shape)
    return arithmetic(look, node, tuple(int(i) for i in index))


def _patches(subject: Subject, examples: Examples, options: Mapping[str, Any]) -> Explanation:
    layers = [options["layer"]] if options.get("layer") else None
    more = {name: options[name] for name in ("k", "listen") if name in options}
    told = strongest_patches(subject, examples.fetch, len(examples), layers, **more)
    used = sorted(
        {int(i) for n, a in told.arrays.items() if n.endswith(".example") for i in a.flat}
    )
    there = [i for i in used if i >= 0]
    names = dict(zip(map(str, there), examples.names(there), strict=True))
    return replace(told, facts={**told.facts, "names": names})


def _alike(subject: Subject, examples: Examples, options: Mapping[str, Any]) -> Explanation:
    layers = [options["layer"]] if options.get("layer") else None
    counted = options.get("missed", True) and len(subject.network.output) == 1
    labels = examples.labels if counted else None
    more = {name: options[name] for name in ("listen",) if name in options}
    return alike(subject, examples.fetch, len(examples), labels, layers, **more)


def _named(function: Callable[..., Explanation]) -> Answer:
    return lambda subject, _, options: function(subject, **options)


def _looked(function: Callable[..., Explanation]) -> Answer:
    return lambda _, look, options: function(look, **options)


FROM = ("part", "most", "data_dir")
"""Which examples: options of ``Trained.examples``."""

WHAT: dict[str, What] = {
    "moved": What(
        "what moved the answer: each place of the input, for or against",
        "input",
        ("method", "answer", "baseline", "layer", "patch"),
        _looked(moved),
    ),
    "activations": What(
        "every layer's output for an input", "input", ("layer",), _looked(activations)
    ),
    "arithmetic": What(
        "which inputs times which weights make a number",
        "input",
        ("layer", "cell"),
        _cell,
    ),
    "forgives": What(
        "how far each layer's output moves when the input is shifted by a step",
        "input",
        ("shift",),
        _looked(forgives),
    ),
    "filters": What("a layer's weights as patterns", "", ("layer",), _named(filters)),
    "twin": What(
        "a convolution as the matrix of a fully connected layer",
        "",
        ("layer", "rows", "columns"),
        _named(twin),
    ),
    "looks-for": What(
        "the input that excites a filter, a unit or an answer most",
        "",
        ("layer", "units", "steps", "rate", "l1", "smooth", "seed"),
        _named(looks_for),
    ),
    "patches": What(
        "for each filter, where in a data set it answers most",
        "examples",
        ("layer", "k", *FROM, "listen"),
        _patches,
    ),
    "alike": What(
        "dead units, filters alike, accuracy without each filter",
        "examples",
        ("layer", "missed", *FROM, "listen"),
        _alike,
    ),
}
"""The explanations by the name of ``beak explain --what``."""

USUAL_EXAMPLES = {"patches": 60_000, "alike": 1_000}
"""So many examples are looked at where nobody asks for more."""


def subject_of(run: Trained) -> Subject:
    """A trained network as the lens looks at it."""
    if not hasattr(run, "model"):
        came = type(run).__name__
        raise UsageError(f'a {came} came; a run was wanted: beak.explain(beak.load("RUN"), …)')
    return Subject(run.network, run.model.parameters, run.labels, run.threads, run.spec.bounds)


def explain(run: Trained, input: Any = None, what: str = "moved", **options: Any) -> Explanation:
    """Look into a trained network: one of the explanations of ``WHAT``, as numbers with a caption.

    ``run``: as ``beak.load`` gives it. ``input``: a raw input (path, bytes, array, text) for
    "moved", "activations", "arithmetic" and "forgives"; a source of examples, as in training, for
    "patches" and "alike"; nothing for the others. ``options``: as the explanation's function has
    them, such as ``layer="conv1"``, ``cell=(0, 3, 4)``, ``method="cam"``, ``answer="dog"``;
    ``part`` and ``most`` say which examples and how many at most.

    Raises UsageError for an unknown name or option, DataError for an input that cannot be read.
    """
    subject = subject_of(run)
    if what not in WHAT:
        raise UsageError(f"no explanation '{what}'{did_you_mean(what, WHAT)}")
    row = WHAT[what]
    for option in options:
        if option not in row.options:
            hint = did_you_mean(option, row.options)
            raise UsageError(f"{what} knows no {option}{hint}")
    given = {name: value for name, value in options.items() if value is not None}
    if row.needs and input is None:
        one = "an input to look at" if row.needs == "input" else "a source of examples"
        raise UsageError(f"{what} needs {one}, as beak.explain(run, {_EXAMPLE[row.needs]})")
    if row.needs == "input":
        opened = run.opened(input)
        told = _by_name(row.answer(subject, Look.at(subject, opened.inputs), given), opened)
        about = {
            "name": opened.name,
            "kind": opened.kind,
            "places": opened.places,
            "notes": opened.notes,
        }
        return replace(told, facts={**told.facts, "input": about})
    if row.needs == "examples":
        which: dict[str, Any] = {"part": "test", "most": USUAL_EXAMPLES[what]}
        which |= {name: given.pop(name) for name in FROM if name in given}
        return row.answer(subject, run.examples(input, **which), given)
    return row.answer(subject, None, given)


def _by_name(told: Explanation, opened: OpenedInput) -> Explanation:
    """A heat of words as the reader knows them; what the network reads beside stays in it."""
    if told.facts.get("where") != "words" or not opened.places:
        return told
    whole = told["heat"]
    named = {"heat": opened.by_name(whole)[: len(opened.places)], "heat_by_number": whole}
    return replace(told, arrays={**told.arrays, **named})


_EXAMPLE = {"input": '"cat.jpg"', "examples": '"digits"'}
