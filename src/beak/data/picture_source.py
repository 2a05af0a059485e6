"""Sources of pictures: folders of class folders, tables, idx files, .npz, and the built-in sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
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
from beak.data.assemble import Examples
from beak.data.builtin import DIGITS_FILE, builtin, get
from beak.data.cache import decoded_files, survey_files, up_to_date_manifest
from beak.data.dataset import Dataset
from beak.data.folders import find as find_folders
from beak.data.found import Found
from beak.data.memory import load_arrays
from beak.data.picture_assemble import assemble_pictures
from beak.data.picture_spec import PictureSpec
from beak.data.pictures import SUFFIXES
from beak.data.report import Finding
from beak.data.shards import find_samples, shards_at
from beak.data.split import UNKNOWN
from beak.data.survey import Survey, choose_spec
from beak.data.tables import ENDINGS, find_tables
from beak.data.tables import find as examples_of
from beak.data.wishes import Wishes
from beak.errors import DataError, UsageError
from beak.ops.resize.kernels import resize

Array = np.ndarray[Any, Any]
ARCHIVES = (".gz", ".7z", ".rar", ".xz", ".bz2", ".zst")


def read(source: Path, wishes: Wishes) -> Dataset:
    """The pictures of a folder, table or array file."""
    shards = shards_at(source)
    if shards:
        found = find_samples(shards, frozenset(SUFFIXES), "pictures", wishes.progress)
        return _files(source, found, wishes)
    if source.is_dir():
        files = idx_files(source)
        if files:
            name = source.resolve().name
            return _arrays(name, source, files, lambda: idx_parts(files), None, wishes)
        tables = find_tables(source)
        return _files(
            source, examples_of(tables) if tables else find_folders(source, wishes.progress), wishes
        )
    if source.suffix.lower() == ".npz":
        return _arrays(source.name, source, [source], lambda: npz_parts(source), None, wishes)
    if source.suffix.lower() in ENDINGS:
        return _files(source, examples_of({UNKNOWN: source}), wishes)
    raise UsageError(_not_a_source(source))


def built_in(name: str, wishes: Wishes) -> Dataset:
    """A built-in set of pictures."""
    if name == "digits":
        return _digits(wishes)
    known = builtin(name)
    files = get(known, wishes.data_dir, wishes.progress)
    if name == "cifar10":
        from beak.data.cifar import cifar_parts

        return _arrays(name, files[0], files, lambda: cifar_parts(files), known.labels, wishes)
    place = files[0].parent / name
    return _arrays(name, place, files, lambda: idx_parts(files), known.labels, wishes)


def _not_a_source(path: Path) -> str:
    if is_idx(path.name):
        return f"{path}: give the folder that this idx file and its partner lie in"
    if path.suffix.lower() in ARCHIVES:
        return (
            f"{path}: packed in a way that is not read here; unpack it, or give a .zip or .tar.gz"
        )
    return f"{path}: a folder, CSV, TSV or .npz is wanted, not a {path.suffix or 'nameless'} file"


def _spec(wishes: Wishes) -> PictureSpec | None:
    """The trained network's spec, where there is one."""
    assert wishes.spec is None or isinstance(wishes.spec, PictureSpec)
    return wishes.spec


def _chosen(wishes: Wishes, survey: Survey, examples: int) -> tuple[PictureSpec, list[Finding]]:
    """The spec: the one that was given, or the one that suits."""
    given = _spec(wishes)
    if given is not None:
        return given, []
    size, channels, fit = (wishes.options.get(key) for key in ("size", "channels", "fit"))
    return choose_spec(survey, examples, size, channels, fit)


def _assembled(
    name: str,
    labels: tuple[str, ...],
    spec: PictureSpec,
    examples: Examples,
    plain: bool,
    wishes: Wishes,
) -> Dataset:
    """The data set; with given labels and spec it keeps these."""
    return assemble_pictures(
        name,
        labels,
        spec,
        examples,
        plain_border=plain,
        strict=wishes.strict,
        known=wishes.labels,
        keep_scale=wishes.spec is not None,
    )


def _files(source: Path, found: Found, wishes: Wishes) -> Dataset:
    manifest = up_to_date_manifest(found, source, wishes.cache, wishes.threads)
    survey = survey_files(found, manifest, wishes.threads)
    spec, told = _chosen(wishes, survey, len(found.names))
    examples = decoded_files(found, manifest, spec, wishes.cache, wishes.threads, wishes.progress)
    examples.findings = told + examples.findings
    name = source.resolve().name or str(source)
    return _assembled(name, found.labels, spec, examples, survey.plain_border, wishes)


def _arrays(
    name: str,
    source: Path,
    files: list[Path],
    read: Read,
    names: Sequence[str] | None,
    wishes: Wishes,
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
    spec, told = _chosen(wishes, survey, 0)
    labels, examples = array_examples(read, manifest, spec, wishes.cache, names)
    examples.findings = told + examples.findings
    return _assembled(name, labels, spec, examples, survey.plain_border, wishes)


def _in_memory(name: str, parts: list[ArrayPart], wishes: Wishes) -> Dataset:
    inputs = np.concatenate([part.inputs.read() for part in parts])
    given = np.repeat([part.part for part in parts], [part.inputs.shape[0] for part in parts])
    labels = np.concatenate([np.asarray(part.labels) for part in parts])
    return load_arrays(
        inputs,
        labels,
        name=name,
        given=given,
        spec=_spec(wishes),
        known=wishes.labels,
        strict=wishes.strict,
        **wishes.options,
    )


def _digits(wishes: Wishes) -> Dataset:
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
        spec=_spec(wishes),
        known=wishes.labels,
        strict=wishes.strict,
        **wishes.options,
    )
    return replace(made, kind="pictures")
