"""One way out for all forms: make the file, compare it with the run, then put it in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beak.errors import RunError, UsageError, did_you_mean
from beak.exchange.c_source import c_answers, c_source
from beak.exchange.check import Answers, Comparison, compare, onnx_answers
from beak.exchange.examples import examples
from beak.exchange.onnx_model import onnx_bytes
from beak.runs.files import write_whole
from beak.runs.model import Model
from beak.runs.run import Run
from beak.runs.safe import one_line


@dataclass(frozen=True)
class Export:
    """What was written, and how it compares with the run."""

    path: Path
    form: str
    """"onnx" or "c"."""
    size: int
    """Bytes."""
    compared: Comparison
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As ``beak export --json`` prints it."""
        found: dict[str, Any] = {"file": str(self.path), "form": self.form, "bytes": self.size}
        found["compared"] = self.compared.to_json()
        return {**found, "notes": list(self.notes)} if self.notes else found


@dataclass(frozen=True)
class Form:
    """A form that a run can be exported as."""

    suffixes: tuple[str, ...]
    make: Callable[[Model], bytes]
    answers: Callable[[bytes, Model, int | None], Answers]


FORMS = {
    "onnx": Form((".onnx",), onnx_bytes, onnx_answers),
    "c": Form((".c",), c_source, c_answers),
}
"""Name, as ``--to`` takes it -> how it is made and asked."""


def export(
    run: Run | str | Path,
    file: str | Path,
    to: str | None = None,
    *,
    data: str | None = None,
    data_dir: str | Path | None = None,
) -> Export:
    """Write a run as another program's file, compared with the run on 200 inputs and more.

    ``to``: "onnx" or "c"; None follows from the file's ending. ``data``: raw files to compare on;
    without it what the run was trained on, where that is there, and inputs made up. Raises
    UsageError for a wrong call, RunError where the answers differ: then nothing is written.
    """
    opened = run if isinstance(run, Run) else Run(run)
    target = Path(file)
    form = form_of(target, to)
    _check_target(target)
    made = FORMS[form].make(opened.model)
    pairs = examples(opened, data, None if data_dir is None else Path(data_dir))
    answers = FORMS[form].answers(made, opened.model, opened.threads)
    compared = agreeing(compare(opened, pairs, answers), opened)
    write_whole(target, [made])
    return Export(target, form, len(made), compared, opened.model.notes)


def form_of(target: Path, to: str | None) -> str:
    """Which form is wanted: the word, or what the file's ending says."""
    known = {suffix: name for name, form in FORMS.items() for suffix in form.suffixes}
    if to is not None and to not in FORMS:
        raise UsageError(f"export: no form '{one_line(to)}'{did_you_mean(to, FORMS)}")
    found = known.get(target.suffix.lower())
    if to is None and found is None:
        wanted = " or ".join(f"{target.stem or 'model'}{suffix}" for suffix in known)
        raise UsageError(f"{one_line(target)}: the ending does not tell the form; write {wanted}")
    if to is not None and found is not None and to != found:
        raise UsageError(
            f"{one_line(target)} ends as {found} does, but --to {to} is asked for; "
            f"write {target.stem}{FORMS[to].suffixes[0]}"
        )
    return to or str(found)


def _check_target(target: Path) -> None:
    if target.is_dir():
        raise UsageError(f"{one_line(target)} is a folder; give a file in it")
    if not target.parent.is_dir():
        raise UsageError(f"{one_line(target)}: the folder is not there; make it: mkdir -p")


def agreeing(compared: Comparison, run: Run) -> Comparison:
    """The comparison, if the export may be used for the run; else RunError."""
    if compared.agrees:
        return compared
    raise RunError(
        f"{run.model.name}: the export answers otherwise than the run: {compared.difference:.2g} "
        f"at most (1e-4 is allowed), {compared.changed_for_good} of {compared.inputs} labels "
        f"changed; worst: {one_line(compared.worst)}; nothing is written; please report this"
    )
