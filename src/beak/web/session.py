"""What the page looks at: one run, the inputs that came in, and examples where there are some."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from beak.errors import DataError, UsageError, did_you_mean
from beak.lens.ask import WHAT, subject_of, worded
from beak.lens.explanation import Explanation
from beak.lens.subject import Look, Subject
from beak.runs.opened import Examples, OpenedInput
from beak.runs.run import Run, load
from beak.web.reading import board, read

KEPT = 24
"""Inputs that are remembered, so that a link to one stays good; each keeps all its maps."""
MOST_EXAMPLES = 200
MOST_PATCH_EXAMPLES = 2000
KEPT_BYTES = 4 << 20
"""Raw inputs up to this size are kept, so that another run can open them its own way."""
COUNTED = 2 * 10**10
"""Multiply-adds that going through examples may take, without the answers of cut networks."""
SLOW = ("moved", "forgives")
"""Explanations of an input that take so long that drawing must not wait for them."""
MOST_UNITS = 64
CLIMB = 2 * 10**12
"""Multiply-adds that going uphill may take."""
WEIGHED = 3 * 10**11
"""The same for finding out how much each unit would be missed; beyond, that is left out."""


@dataclass(frozen=True, eq=False)
class Seen:
    """One input's way through the network."""

    name: str
    opened: OpenedInput | None
    """None: an example of the data, which is prepared already."""
    look: Look
    about: Mapping[str, Any]
    """What the page shows beside it, such as a board's stones."""
    body: tuple[bytes, int | None] | None = None
    """What came in, where it is small enough to be kept."""


class Session:
    """A run with the inputs that were looked at.

    Two computations at a time: one that follows an input, one that goes through examples or uphill.
    """

    def __init__(
        self,
        run: Run,
        source: str | None = None,
        data_dir: Any = None,
        others: Mapping[str, Path] | None = None,
    ) -> None:
        """``source``: of examples; None is what the run was trained on, where that is still there.

        ``others``: trained networks that can be set beside it, by name. Raises RunError and
        UsageError as ``load`` does.
        """
        self.run = run
        self.subject = subject_of(run)
        self.others = dict(others or {})
        self.lock = Lock()
        self._slow = Lock()
        self._opening = Lock()
        self._asked = source
        self._data_dir = data_dir
        self._seen: OrderedDict[str, Seen] = OrderedDict()
        self._held = ""
        self._told: OrderedDict[str, Explanation] = OrderedDict()
        self._parts: dict[int, Examples] = {}
        self._beside: dict[str, Session] = {}
        self._no_examples = ""

    @cached_property
    def _aside(self) -> Subject:
        """The network once more, with an engine of its own, for what takes long."""
        return replace(self.subject)

    def of(self, name: str | None) -> Session:
        """The session of a run that is set beside this one; itself for no name."""
        if not name:
            return self
        if name not in self.others:
            raise UsageError(f"no run '{name}' is set beside{did_you_mean(name, self.others)}")
        with self._opening:
            if name not in self._beside:
                other = load(self.others[name], threads=self.run.threads)
                self._beside[name] = Session(other, self.source or None, self._data_dir)
            return self._beside[name]

    def pass_on(self, mark: str, other: Session) -> None:
        """Let another run look at an input that this one has seen. DataError where it cannot."""
        if other is self or mark == "nothing":
            return
        with self.lock:
            seen = self.seen(mark)
        with other.lock:
            if mark in other._seen:
                return
            if other.run.spec == self.run.spec:
                look = Look.at(other.subject, seen.look.inputs)
                other._keep(replace(seen, look=look))
            elif seen.body is not None:
                other.open(*seen.body)
            elif seen.opened is not None:
                raise DataError("this input is too large to be read once more; give it again")
        if mark.startswith("example-") and other.seen(mark).about["name"] != seen.about["name"]:
            raise DataError(f"{seen.about['name']} is none of {other.run.model.name}'s examples")

    def open(self, body: bytes, move: int | None = None) -> str:
        """Prepare one raw input (a file's bytes, or a text as UTF-8); its name for later."""
        mark = hashlib.sha256(body + f"#{move}".encode()).hexdigest()[:16]
        if mark not in self._seen:
            raw, about = read(self.run.spec.kind, body, move)
            opened = self.run.opened(raw)
            look = Look.at(self.subject, opened.inputs)
            about = {**about, "notes": list(opened.notes)}
            kept = (body, move) if len(body) <= KEPT_BYTES else None
            self._keep(Seen(mark, opened, look, about, kept))
        return mark

    def given(self, raw: Any) -> str:
        """Prepare any raw input that the run takes, such as a path or an array; its name."""
        kind, path = self.run.spec.kind, raw if isinstance(raw, Path) else None
        if path is not None and kind in ("texts", "go"):
            try:
                raw = path.read_bytes()
            except OSError as error:
                raise DataError(f"{path}: {error.strerror or error}") from None
            return self.open(raw)
        if isinstance(raw, bytes) or kind == "go":
            return self.open(raw if isinstance(raw, bytes) else str(raw).encode())
        opened = self.run.opened(raw)
        mark = hashlib.sha256(opened.inputs.tobytes()).hexdigest()[:16]
        about = {"notes": list(opened.notes)}
        self._keep(Seen(mark, opened, Look.at(self.subject, opened.inputs), about))
        return mark

    def example(self, number: int) -> str:
        """One of the run's own examples by number; its name for later."""
        mark = f"example-{number}"
        if mark not in self._seen:
            examples = self.examples()
            if not 0 <= number < len(examples):
                raise UsageError(f"no example {number}; there are {len(examples)}")
            numbers = np.array([number])
            label = self.subject.label(int(examples.labels[number]))
            about = {"example": number, "name": examples.names([number])[0], "label": label}
            look = Look.at(self.subject, examples.fetch(numbers))
            row = np.asarray(examples.part.inputs[examples.chosen[numbers]])[0]
            about |= {"places": list(self.run.spec.place_names(row))}
            about |= board(row) if self.run.spec.kind == "go" else {}
            self._keep(Seen(mark, None, look, about))
        return mark

    def nothing(self) -> str:
        """An input of zeros: what the page opens on where there is nothing else."""
        if "nothing" not in self._seen:
            network = self.subject.network
            words = self.run.spec.kind == "texts"
            zeros = np.zeros((1, *network.input), np.int32 if words else np.float32)
            self._keep(Seen("nothing", None, Look.at(self.subject, zeros), {}))
        return "nothing"

    def seen(self, mark: str) -> Seen:
        """An input that came in before. UsageError where it is not known, or not any more."""
        if mark.startswith("example-") and mark[8:].isdecimal() and len(mark) < 20:
            self.example(int(mark[8:]))
        if mark == "nothing":
            self.nothing()
        if mark not in self._seen:
            raise UsageError("this input is not there any more; give it again")
        self._seen.move_to_end(mark)
        return self._seen[mark]

    def hold(self, mark: str) -> None:
        """Keep an input for as long as no other is held: it stands beside those that come."""
        self._held = self.seen(mark).name

    def explain(self, what: str, options: Mapping[str, Any], mark: str | None) -> Explanation:
        """One explanation of ``lens.ask.WHAT``; those of the network alone are computed once."""
        row = WHAT[what]
        given = {name: value for name, value in options.items() if value not in (None, "")}
        if row.needs == "input":
            if (mark or "").startswith("example-"):
                self.examples()
            with self.lock:
                seen = self.seen(mark or "")
                quick = what not in SLOW
                told = row.answer(self.subject, seen.look, given) if quick else None
            if told is None:
                with self._slow:
                    told = row.answer(self._aside, replace(seen.look, subject=self._aside), given)
            return told if seen.opened is None else _by_name(told, seen.opened)
        key = f"{what} {sorted(given.items())}"
        with self._slow:
            if key not in self._told:
                source: Any = None
                if row.needs == "examples":
                    source = self._patches_from()
                if what == "alike" and source is not None:
                    source, given["missed"] = self._affordable(source, given.get("layer"))
                if what == "looks-for":
                    self._check_climb(given)
                told = row.answer(self._aside, source, given)
                self._told[key] = worded(told, self.run.spec)
                while len(self._told) > 4 * KEPT:
                    self._told.popitem(last=False)
            return self._told[key]

    def _check_climb(self, given: Mapping[str, Any]) -> None:
        """UsageError where going uphill would take minutes."""
        layer, units = given.get("layer"), given.get("units")
        if units is None:
            named = self.subject.node(str(layer)).output[0] if layer not in (None, "answer") else 0
            units = range(named or self.subject.answers)
        each = 3 * self.subject.network.multiply_adds * given.get("steps", 60)
        if len(units) > MOST_UNITS or len(units) * each > CLIMB:
            most = max(1, min(MOST_UNITS, CLIMB // max(1, each)))
            raise UsageError(
                f"{len(units)} units take too long here; ask for {most} or fewer steps"
            )

    def _affordable(self, source: Examples, layer: str | None) -> tuple[Examples, bool]:
        """So many examples that they take seconds, and whether to leave out unit by unit too."""
        work = max(1, self.subject.network.multiply_adds)
        units = self.subject.node(layer).output[0] if layer else 0
        most = max(20, min(len(source), COUNTED // work))
        weighed = min(most, WEIGHED // (work * max(1, units)))
        missed = bool(layer) and weighed >= min(50, len(source))
        count = min(len(source), weighed if missed else most)
        chosen = source.chosen[np.linspace(0, len(source) - 1, count).astype(np.int64)]
        return replace(source, chosen=chosen), missed

    def examples(self) -> Examples:
        """A few examples of the test part. DataError where the source is not there."""
        return self._from_source(MOST_EXAMPLES)

    def _patches_from(self) -> Examples:
        return self._from_source(MOST_PATCH_EXAMPLES)

    @property
    def source(self) -> str:
        """Where examples come from; empty where nobody knows any."""
        return self._asked or _trained_on(self.run)

    def _from_source(self, most: int) -> Examples:
        source = self.source
        if not source:
            raise DataError("no examples are known for this run; beak look RUN --data SOURCE")
        with self._opening:
            if self._no_examples:
                raise DataError(self._no_examples)
            if most not in self._parts:
                try:
                    how = {"part": "test", "most": most, "data_dir": self._data_dir}
                    self._parts[most] = self.run.examples(source, **how)
                except Exception as error:
                    self._no_examples = str(error).splitlines()[0]
                    raise
            return self._parts[most]

    def _keep(self, seen: Seen) -> None:
        self._seen[seen.name] = seen
        while len(self._seen) > KEPT:
            oldest = next(name for name in self._seen if name != self._held)
            del self._seen[oldest]


def _by_name(told: Explanation, opened: OpenedInput) -> Explanation:
    """A heat of words by the words that the reader sees, not by numbers."""
    if told.facts.get("where") != "words" or not opened.places:
        return told
    named = opened.by_name(told["heat"])[: len(opened.places)]
    return replace(told, arrays={**told.arrays, "heat": named})


def _trained_on(run: Run) -> str:
    """The source in the run's recipe; empty where none is told."""
    source = run.recipe_data.get("source", "")
    return source if isinstance(source, str) else ""
