"""Any source of examples as a data set: the one door of the data room."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np

from beak.data.array_cache import (
    Read,
    are_pictures,
    array_examples,
    manifest_of_files,
    survey_arrays,
)
from beak.data.arrays import ArrayPart, idx_files, idx_parts, is_idx, npz_parts
from beak.data.assemble import Examples, assemble
from beak.data.build import Progress
from beak.data.builtin import BUILTIN, DIGITS_FILE, builtin, default_cache_dir, get
from beak.data.cache import decoded_files, survey_files, up_to_date_manifest
from beak.data.dataset import Dataset
from beak.data.folders import find as find_folders
from beak.data.found import Found
from beak.data.memory import load_arrays
from beak.data.report import Finding
from beak.data.spec import InputSpec
from beak.data.split import UNKNOWN
from beak.data.survey import Survey, choose_spec
from beak.data.tables import ENDINGS, find_tables
from beak.data.tables import find as examples_of
from beak.errors import DataError, UsageError, did_you_mean
from beak.ops.resize.kernels import resize

__all__ = ["load_arrays", "load_dataset"]

Array = np.ndarray[Any, Any]
KINDS = ("auto", "pictures")
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".xz", ".bz2")


@dataclass(frozen=True)
class _Wishes:
    """What the caller asked for."""

    size: int | tuple[int, int] | None
    channels: int | None
    fit: str | None
    spec: InputSpec | None
    labels: tuple[str, ...] | None
    cache: Path
    threads: int
    strict: bool
    progress: Progress | None

    def chosen(self, survey: Survey, examples: int) -> tuple[InputSpec, list[Finding]]:
        """The spec: the one that was given, or the one that suits."""
        if self.spec is not None:
            return self.spec, []
        return choose_spec(survey, examples, self.size, self.channels, self.fit)

    def assembled(
        self, name: str, labels: tuple[str, ...], spec: InputSpec, examples: Examples, plain: bool
    ) -> Dataset:
        """The data set; with given labels and spec it keeps these."""
        return assemble(
            name,
            labels,
            spec,
            examples,
            plain_border=plain,
            strict=self.strict,
            known=self.labels,
            keep_scale=self.spec is not None,
        )


def load_dataset(
    source: str | os.PathLike[str],
    *,
    kind: str = "auto",
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    fit: str | None = None,
    spec: InputSpec | None = None,
    labels: Sequence[str] | None = None,
    strict: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """The examples of a source, decoded (once), checked and split.

    ``source``: a built-in name, a folder of class folders, a CSV or TSV of path and label (or a
    folder with train.csv, val.csv, test.csv), a folder of idx files, an .npz. What is not given
    (``size``: side or (height, width); ``channels``; ``fit``) follows from the data and is said in
    the report. ``spec`` and ``labels`` of a trained network make inputs and labels as it knows
    them. ``strict``: a warning of the report is an error. ``progress(done, all)`` is called while
    pictures are decoded or files downloaded.

    Raises UsageError for a source that is not there, DataError for one that cannot be used.
    """
    if kind not in KINDS:
        raise UsageError(f"kind: no {kind!r}{did_you_mean(kind, KINDS)}")
    if spec is not None and spec.kind != "pictures":
        raise DataError("the network was made for plain numbers; give it arrays, not files")
    cache = Path(cache_dir) if cache_dir is not None else default_cache_dir()
    wishes = _Wishes(
        size,
        channels,
        fit,
        spec,
        None if labels is None else tuple(labels),
        cache,
        threads or _threads(),
        strict,
        progress,
    )
    name = os.fspath(source)
    if name in BUILTIN and (not Path(name).exists() or is_run(Path(name))):
        return _digits(wishes) if name == "digits" else _built_in(name, data_dir, wishes)
    path = existing(name)
    if is_run(path):
        raise UsageError(
            f"{name}: a run (a trained network), not a source of examples; "
            f"to go on with it: beak train --resume {quote(name)}"
        )
    if path.is_dir():
        files = idx_files(path)
        if files:
            return _arrays(path.resolve().name, path, files, lambda: idx_parts(files), None, wishes)
        found = find_tables(path)
        return _files(path, examples_of(found) if found else find_folders(path), wishes)
    if path.suffix.lower() == ".npz":
        return _arrays(path.name, path, [path], lambda: npz_parts(path), None, wishes)
    if path.suffix.lower() in ENDINGS:
        return _files(path, examples_of({UNKNOWN: path}), wishes)
    raise UsageError(_not_a_source(path))


def is_run(path: Path) -> bool:
    """Is this a run directory? ``beak train digits --out digits`` makes one with a set's name."""
    return any((path / name).is_file() for name in ("recipe.toml", "model.safetensors"))


def existing(name: str) -> Path:
    """The path, or UsageError with the nearest name that is there."""
    path = Path(name).expanduser()
    if path.exists():
        return path
    parent, missing = path.parent, path.name
    while not parent.is_dir() and parent != parent.parent:
        parent, missing = parent.parent, parent.name
    there = [] if not parent.is_dir() else sorted(os.listdir(parent))
    known = {entry.lower(): str(parent / entry) if str(parent) != "." else entry for entry in there}
    if len(path.parts) == 1:
        known |= {built: built for built in BUILTIN}
    near = difflib.get_close_matches(missing.lower(), list(known), n=1, cutoff=0.6)
    if near:
        raise UsageError(f"{name}: not there; did you mean '{known[near[0]]}'?")
    raise UsageError(
        f"{name}: not there; a folder, CSV, .npz or one of {', '.join(BUILTIN)} is wanted"
    )


def _threads() -> int:
    from beak.ops.kernel import default_threads

    return default_threads()


def _not_a_source(path: Path) -> str:
    if is_idx(path.name):
        return f"{path}: give the folder that this idx file and its partner lie in"
    if path.suffix.lower() in ARCHIVES:
        return f"{path}: an archive; unpack it and give the folder"
    return f"{path}: a folder, CSV, TSV or .npz is wanted, not a {path.suffix or 'nameless'} file"


def _files(source: Path, found: Found, wishes: _Wishes) -> Dataset:
    manifest = up_to_date_manifest(found, source, wishes.cache, wishes.threads)
    survey = survey_files(found, manifest, wishes.threads)
    spec, told = wishes.chosen(survey, len(found.names))
    examples = decoded_files(found, manifest, spec, wishes.cache, wishes.threads, wishes.progress)
    examples.findings = told + examples.findings
    name = source.resolve().name or str(source)
    return wishes.assembled(name, found.labels, spec, examples, survey.plain_border)


def _arrays(
    name: str,
    source: Path,
    files: list[Path],
    read: Read,
    names: Sequence[str] | None,
    wishes: _Wishes,
) -> Dataset:
    manifest = manifest_of_files(source, files, wishes.cache)
    if manifest.info.get("pictures") != manifest.content():
        parts = read()
        if not parts:
            raise DataError(f"{source}: no examples in it")
        if not are_pictures(parts):
            return _in_memory(name, parts, wishes)
        manifest.note(pictures=manifest.content())
    survey = survey_arrays(read, manifest)
    spec, told = wishes.chosen(survey, 0)
    labels, examples = array_examples(read, manifest, spec, wishes.cache, names)
    examples.findings = told + examples.findings
    return wishes.assembled(name, labels, spec, examples, survey.plain_border)


def _in_memory(name: str, parts: list[ArrayPart], wishes: _Wishes) -> Dataset:
    inputs = np.concatenate([part.inputs.read() for part in parts])
    given = np.repeat([part.part for part in parts], [part.inputs.shape[0] for part in parts])
    labels = np.concatenate([np.asarray(part.labels) for part in parts])
    return load_arrays(
        inputs,
        labels,
        name=name,
        given=given,
        size=wishes.size,
        channels=wishes.channels,
        fit=wishes.fit,
        spec=wishes.spec,
        known=wishes.labels,
        strict=wishes.strict,
    )


def _built_in(name: str, data_dir: Any, wishes: _Wishes) -> Dataset:
    known = builtin(name)
    files = get(known, data_dir, wishes.progress)
    if name == "cifar10":
        from beak.data.cifar import cifar_parts

        return _arrays(name, files[0], files, lambda: cifar_parts(files), known.labels, wishes)
    place = files[0].parent / name
    return _arrays(name, place, files, lambda: idx_parts(files), known.labels, wishes)


def _digits(wishes: _Wishes) -> Dataset:
    """The digits that come with beak: 17 levels as bytes, 8x8 enlarged to 28x28."""
    with np.load(DIGITS_FILE, allow_pickle=False) as held:
        small, digits = held["images"], held["labels"]
    levels = ((small.astype(np.uint32) * 255 + 8) // 16).astype(np.uint8)
    pictures = np.stack([resize(picture[:, :, None], (28, 28)) for picture in levels])
    made = load_arrays(
        pictures,
        digits,
        name="digits",
        kind="pictures",
        names=[f"digits[{i}]" for i in range(len(digits))],
        size=wishes.size,
        channels=wishes.channels,
        fit=wishes.fit,
        spec=wishes.spec,
        known=wishes.labels,
        strict=wishes.strict,
    )
    return replace(made, kind="pictures")
