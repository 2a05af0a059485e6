"""One way out for all forms: make the file, compare it with the run, then put it in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from beak.engine.choice import has_torch
from beak.errors import MissingExtraError, RunError, UsageError, did_you_mean
from beak.exchange.c_source import c_answers, c_source
from beak.exchange.check import Answers, Comparison, compare, onnx_answers
from beak.exchange.examples import dataset_of, examples
from beak.exchange.int8 import MOST_LOST, Accuracy, int8_bytes, measured_accuracy
from beak.exchange.keras_export import keras_answers, keras_bytes
from beak.exchange.onnx_model import onnx_bytes
from beak.network.opaque import refuse_boxes
from beak.runs.files import write_whole
from beak.runs.model import Model
from beak.runs.run import Run
from beak.runs.safe import one_line


@dataclass(frozen=True)
class Export:
    """What was written, and how it compares with the run."""

    path: Path
    form: str
    """"onnx", "c", "keras" or "pt2"."""
    size: int
    """Bytes."""
    compared: Comparison
    notes: tuple[str, ...] = ()
    accuracy: Accuracy | None = None
    """With ``int8``: what it costs."""

    def to_json(self) -> dict[str, Any]:
        """As ``beak export --json`` prints it."""
        found: dict[str, Any] = {"file": str(self.path), "form": self.form, "bytes": self.size}
        found["compared"] = self.compared.to_json()
        if self.accuracy is not None:
            found["accuracy"] = {**self.accuracy.__dict__, "points_lost": self.accuracy.lost}
        return {**found, "notes": list(self.notes)} if self.notes else found


@dataclass(frozen=True)
class Form:
    """A form that a run can be exported as."""

    suffixes: tuple[str, ...]
    make: Callable[[Model], bytes]
    answers: Callable[[bytes, Model, int | None], Answers]
    prepared: bool = False
    """Whether ``answers`` takes inputs as the run prepares them, not as they were decoded."""


def _pt2(model: Model) -> bytes:
    from beak.exchange.torch_write import pt2_bytes

    return pt2_bytes(model)


def _pt2_answers(made: bytes, model: Model, threads: int | None) -> Answers:
    from beak.exchange.torch_write import pt2_answers

    answers: Answers = pt2_answers(made, model, threads)
    return answers


FORMS = {
    "onnx": Form((".onnx",), onnx_bytes, onnx_answers),
    "c": Form((".c",), c_source, c_answers),
    "keras": Form((".keras",), keras_bytes, keras_answers),
    "pt2": Form((".pt2",), _pt2, _pt2_answers, prepared=True),
}
"""Name, as ``--to`` takes it -> how it is made and asked."""


def export(
    run: Run | str | Path,
    file: str | Path,
    to: str | None = None,
    *,
    int8: bool = False,
    accept_loss: bool = False,
    data: str | None = None,
    data_dir: str | Path | None = None,
) -> Export:
    """Write a run as another program's file, compared with the run on 200 inputs and more.

    ``to``: "onnx", "c", "keras" or "pt2"; None follows from the file's ending. ``data``: raw files
    to compare on; without it what the run was trained on, where that is there, and inputs made up.
    Raises UsageError for a wrong call, RunError where the answers differ: then nothing is written.

    ``int8``: weights and values in 8 bits, calibrated on the training part of ``data`` (what the
    run was trained on) and measured on its test part; answers differ then, and losing more than
    half a point of accuracy is a RunError unless ``accept_loss``.
    """
    opened = run if isinstance(run, Run) else Run(run)
    refuse_boxes(
        opened.network.nodes, "it is not exported; the file that was imported is all of it"
    )
    target = Path(file)
    form = form_of(target, to)
    _check_target(target)
    if (int8 and form != "onnx") or (accept_loss and not int8):
        raise UsageError("export: --int8 goes with an ONNX file, --accept-loss with --int8")
    where = None if data_dir is None else Path(data_dir)
    if int8:
        return _in_8_bits(opened, target, data, where, accept_loss)
    if form == "pt2" and not has_torch():
        raise MissingExtraError("a file for PyTorch", "torch")
    made = FORMS[form].make(opened.model)
    notes = list(opened.model.notes)
    pairs = examples(opened, data, where, notes=notes)
    if FORMS[form].prepared:
        pairs = [replace(pair, exported=pair.prepared) for pair in pairs]
    answers = FORMS[form].answers(made, opened.model, opened.threads)
    compared = agreeing(compare(opened, pairs, answers), opened)
    write_whole(target, [made])
    return Export(target, form, len(made), compared, tuple(notes))


def _in_8_bits(
    run: Run, target: Path, data: str | None, data_dir: Path | None, accept_loss: bool
) -> Export:
    """The file in 8 bits, if it is nearly as good as the run."""
    dataset = dataset_of(run, data, data_dir)
    made = int8_bytes(run, dataset)
    accuracy = measured_accuracy(run, made, dataset)
    if accuracy.lost > MOST_LOST and not accept_loss:
        raise RunError(
            f"{run.model.name}: 8 bits lose {accuracy.lost:.2f} points of accuracy "
            f"({100 * accuracy.before:.2f} to {100 * accuracy.after:.2f} %), {MOST_LOST} are "
            "allowed; nothing is written; take it as it is with --accept-loss, or leave out --int8"
        )
    compared = compare(run, examples(run, data, data_dir), onnx_answers(made, run.model))
    write_whole(target, [made])
    return Export(target, "onnx", len(made), compared, run.model.notes, accuracy)


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
    if target.exists() and not target.is_file():
        raise UsageError(f"{one_line(target)} is no file that could be replaced; give another")
    if target.parent.exists() and not target.parent.is_dir():
        raise UsageError(f"{one_line(target.parent)} is no folder; give a file in one")
    if not target.parent.is_dir():
        folder = one_line(target.parent)
        raise UsageError(f"{one_line(target)}: the folder is not there; make it: mkdir -p {folder}")


def agreeing(compared: Comparison, run: Run) -> Comparison:
    """The comparison, if the export may be used for the run; else RunError."""
    if compared.agrees:
        return compared
    raise RunError(
        f"{run.model.name}: the export answers otherwise than the run: {compared.difference:.2g} "
        f"at most (1e-4 is allowed), {compared.changed_for_good} of {compared.inputs} labels "
        f"changed; worst: {one_line(compared.worst)}; nothing is written; please report this"
    )
