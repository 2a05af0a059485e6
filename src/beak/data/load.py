"""Any source of examples as a data set: the one door of the data room."""

from __future__ import annotations

import contextlib
import difflib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any

from beak.data.archives import archives_at, unpacked
from beak.data.builtin import BUILTIN, default_cache_dir
from beak.data.dataset import Dataset
from beak.data.far import far_source, is_far
from beak.data.kinds import CHOICES, kind_at, kind_of
from beak.data.memory import load_arrays
from beak.data.report import Finding, Report
from beak.data.shards import in_range, shards_at
from beak.data.spec import InputSpec
from beak.data.texts import shared_name, shared_parts
from beak.data.wishes import Progress, Wishes
from beak.errors import DataError, UsageError, did_you_mean

__all__ = ["load_arrays", "load_dataset"]


def load_dataset(
    source: str | os.PathLike[str],
    *,
    kind: str = "auto",
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    spec: InputSpec | None = None,
    labels: Sequence[str] | None = None,
    strict: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Dataset:
    """The examples of a source, decoded (once), checked and split.

    ``source``: a built-in name, or a folder or file of one of the kinds, such as a folder of class
    folders or a table, or an archive of these (.zip, .tar, .tar.gz, …; several shards of
    WebDataset: ``train-{00..19}.tar``, also ``https://…``), which is unpacked once into the cache;
    ``kind`` "auto"
    looks what its files are. ``options``: the recipe's [data] keys of that kind (for pictures
    ``size``: side or (height, width); ``channels``; ``fit``); what
    is not given follows from the data and is said in the report. ``spec`` and ``labels`` of a
    trained network make inputs and labels as it knows them. ``strict``: a warning of the report is
    an error. ``progress(done, all)`` is called while files are decoded or
    downloaded, ``progress(seen, 0)`` while they are looked for.

    Raises UsageError for a source that is not there, DataError for one that cannot be used,
    UnreachableError where a server does not give it.
    """
    if kind not in ("auto", *CHOICES):
        raise UsageError(f"kind: no {kind!r}{did_you_mean(kind, CHOICES)}")
    if spec is not None and spec.kind == "numbers":
        raise DataError("the network was made for plain numbers; give it arrays, not files")
    wishes = Wishes(
        Path(cache_dir) if cache_dir is not None else default_cache_dir(),
        threads or _threads(),
        spec,
        None if labels is None else tuple(labels),
        strict,
        progress,
        None if data_dir is None else Path(data_dir),
        {name: value for name, value in options.items() if value is not None},
    )
    name = os.fspath(source)
    if name in BUILTIN and (not Path(name).exists() or is_run(Path(name))):
        chosen = _chosen(kind, BUILTIN[name].kind, spec, name)
        return kind_of(chosen).built_in(name, wishes)
    told: list[Finding] = []
    if is_far(name):
        path, told = far_source(name, wishes.cache)
    else:
        path = existing(name)
    if is_run(path):
        raise UsageError(
            f"{name}: a run (a trained network), not a source of examples; "
            f"to go on with it: beak train --resume {quote(name)}"
        )
    shards = shards_at(path)
    packed = [] if shards else archives_at(path)
    if packed and "go" not in (kind, spec.kind if spec else "", kind_at(packed[0])):
        path, told = unpacked(path, packed, wishes.cache, progress)
    seen = shards[0] if shards else path
    there = kind if kind != "auto" else spec.kind if spec is not None else kind_at(seen)
    try:
        made = kind_of(_chosen(kind, there, spec, name)).read(path, wishes)
    except (DataError, UsageError) as error:
        if not packed:
            raise
        raise type(error)(str(error).replace(str(path), name)) from None  # as the user called it
    return replace(made, report=Report((*told, *made.report.findings))) if told else made


def _chosen(kind: str, there: str, spec: InputSpec | None, name: str) -> str:
    """The kind to read as, if what was asked for, what is there and a network's input agree."""
    for wanted, who in ((None if kind == "auto" else kind, "asked for"), (
        None if spec is None else spec.kind, "what the network reads",
    )):  # fmt: skip
        if wanted is not None and wanted != there:
            raise UsageError(f"{name}: holds {there}, but {wanted} are {who}")
    return there


def is_run(path: Path) -> bool:
    """Is this a run directory? ``beak train digits --out digits`` makes one with a set's name."""
    return any((path / name).is_file() for name in ("recipe.toml", "model.safetensors"))


def existing(name: str) -> Path:
    """The path, or UsageError with the nearest name that is there."""
    path = Path(name)
    with contextlib.suppress(RuntimeError):  # "~somebody" who is not known here
        path = path.expanduser()
    if path.exists():
        return path
    if in_range(name):  # train-{00..19}.tar
        return path
    if shared_name(path) or shared_parts(path):  # rt-polarity: for rt-polarity.pos and .neg
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
