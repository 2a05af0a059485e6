"""From raw files to a run: `train` and `resume`, which `beak train` and Python share."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any

from beak.data.builtin import BUILTIN
from beak.engine.choice import Choice, choose_engine
from beak.engine.group import Group
from beak.errors import MissingExtraError, RunError, UsageError
from beak.network.network import Network
from beak.runs.card import CardData, named, remove_card, write_card
from beak.runs.directory import RunDirectory
from beak.runs.files import FullDiskError
from beak.runs.model import Model, save_model
from beak.runs.report import ReportData, write_report
from beak.runs.run import Run
from beak.train.baseline import Baseline, baseline_name, better_baseline, train_baseline
from beak.train.compare import comparison, train_comparison
from beak.train.folds import on_everything, train_folds
from beak.train.interrupt import wish_to_stop
from beak.train.lines import print_events
from beak.train.prepare import Prepared, gather, given_network, prepare
from beak.train.recipe import Recipe, read_values
from beak.train.single import Listener, Outcome, Session, train_one
from beak.train.together import (
    begun_before,
    check_together,
    for_all,
    is_first,
    join,
    remember,
    threads_each,
)


def train(
    source: Any = None,
    *,
    network: Network | str | Path | None = None,
    recipe: Recipe | str | Path | None = None,
    out: str | Path | None = None,
    epochs: int | None = None,
    batch: int | None = None,
    seed: int | None = None,
    threads: int | None = None,
    folds: int | str | None = None,
    compare: str | Path | Network | None = None,
    kind: str | None = None,
    start: str | Path | None = None,
    set: Iterable[str] | Mapping[str, Any] = (),
    baseline: bool | None = None,
    exact: bool | None = None,
    listen: Listener | None = print_events,
    data_dir: str | Path | None = None,
    strict: bool = False,
    overwrite: bool = False,
    progress: Callable[..., None] | None = None,
    engine: str = "auto",
    device: str = "auto",
) -> Run:
    """Train a network on pictures or texts; everything not said follows from them.

    ``source``: a built-in name, a folder, a file, a Dataset or arrays ``(X, y)``; None: the
    recipe's. ``set``: dotted recipe keys, as ``{"optimiser.learning_rate": 0.01}``. ``out``: the
    run directory, by default the next free one under ``runs/``. ``listen`` gets every event as a
    dict; None: nobody. ``start``: a run whose layers to begin with. ``engine``: "native",
    "torch" or "auto", on ``device`` "cpu", "cuda", "mps" or "auto": torch on a GPU, else native.
    Raises the kinds of `beak.errors`, each a line that
    says what to do.
    """
    choice = choose_engine(engine, device)
    direct = {
        "epochs": epochs,
        "batch": batch,
        "seed": seed,
        "folds": folds,
        "compare": _named(compare),
        "baseline": baseline,
        "exact": exact,
        "data.kind": kind,
        "start": None if start is None else str(start),
        "data.directory": None if data_dir is None else str(data_dir),
    }
    group, choice = join(choice)
    begun = begun_before(out)
    if begun is not None:
        return _resume(RunDirectory.open(begun), source, listen, threads, progress, choice, group)
    values = gather(recipe, set, direct)
    if out is not None and not overwrite and is_first() and Path(out).exists():
        RunDirectory.create(out)  # says before all the work that a run lies there
    ready = prepare(source, values, network, strict=strict, threads=threads, progress=progress)
    comparison(ready)  # likewise says before all the work that there is no such network
    if ready.recipe.folds:
        ready.dataset.folds(ready.recipe.folds)  # or that there are too few examples
    if group is not None:
        check_together(ready.recipe)
    directory = for_all(group, lambda: _new_directory(out, ready.dataset.name, overwrite))
    remember(directory.path)
    return _run(ready, directory, listen, threads, choice, group, resume=False)


def _new_directory(out: str | Path | None, name: str, overwrite: bool) -> RunDirectory:
    if out is None:
        return RunDirectory.create_numbered("runs", name)
    return RunDirectory.create(out, overwrite)


def resume(
    run: str | Path,
    *,
    source: Any = None,
    listen: Listener | None = print_events,
    threads: int | None = None,
    progress: Callable[..., None] | None = None,
    engine: str = "auto",
    device: str = "auto",
) -> Run:
    """Go on with a training that was stopped, to the same bytes as if it had not been.

    ``source`` is needed only where the run was trained on arrays or a Dataset in memory.
    A finished run is told so and given back. ``engine`` and ``device``: the run's own, where they
    are here, unless others are asked for.
    """
    directory = RunDirectory.open(run)
    group, choice = join(_choice_of(directory, engine, device))
    return _resume(directory, source, listen, threads, progress, choice, group)


def _resume(
    directory: RunDirectory,
    source: Any,
    listen: Listener | None,
    threads: int | None,
    progress: Callable[..., None] | None,
    choice: Choice,
    group: Group | None,
) -> Run:
    if directory.finished:
        told: Listener = listen if listen is not None and is_first() else (lambda event: None)
        told({"event": "note", "text": f"{directory} is finished; there is nothing to go on with"})
        return Run(directory.path, threads)
    values = read_values(directory.read_recipe(), str(directory.recipe_path))
    if source is None and not values.get("data.source"):
        raise RunError(
            f"{directory} was trained on arrays in memory; give them again: resume(…, source=…)"
        )
    ready = prepare(source, values, threads=threads, progress=progress)
    return _run(ready, directory, listen, threads, choice, group, resume=True)


def _choice_of(directory: RunDirectory, engine: str, device: str) -> Choice:
    """The engine that a run goes on with: what was asked for, else what it was begun with."""
    before = directory.read_machine()
    kind, place = str(before.get("engine")), str(before.get("device"))
    if (engine, device) == ("auto", "auto") and kind != "None":
        try:
            return replace(choose_engine(kind, place), why="as the run was begun")
        except (UsageError, MissingExtraError):  # not here: goes on with what there is, and says so
            return choose_engine()
    return choose_engine(engine, device)


def _named(network: str | Path | Network | None) -> str | None:
    """A network to compare with, as the recipe keeps it."""
    if network is None:
        return None
    given = given_network(network)
    if isinstance(given, Network):
        import json

        return json.dumps(given.to_json(), separators=(",", ":"))
    return given


def _run(
    ready: Prepared,
    directory: RunDirectory,
    listen: Listener | None,
    threads: int | None,
    choice: Choice,
    group: Group | None,
    *,
    resume: bool,
) -> Run:
    first = group is None or group.rank == 0
    told: Listener = listen if listen is not None and first else (lambda event: None)
    with directory.locked() if first else nullcontext(), wish_to_stop() as stopping:
        session = Session(
            told, stopping, threads_each(threads), choice.kind, choice.device, directory, group
        )
        if first:
            directory.tidy()
            _announce(ready, directory, session)
            size = {} if group is None else {"processes": group.size}
            session.tell("engine", kind=choice.kind, device=choice.device, why=choice.why, **size)
            try:
                _train_all(ready, directory, session, resume=resume)
            except FullDiskError as full:
                if not directory.checkpoint_path.exists():
                    raise
                then = f"go on with: beak train --resume {quote(str(directory))}"
                raise FullDiskError(full.begin, then) from None
        else:
            train_one(ready, directory, session, resume=resume)
    if group is not None:
        group.finish()  # the run is written
    return Run(directory.path, threads)


def _announce(ready: Prepared, directory: RunDirectory, session: Session) -> None:
    dataset, recipe = ready.dataset, ready.recipe
    session.tell(
        "data",
        name=dataset.name,
        kind=dataset.spec.kind,
        labels=list(dataset.labels),
        examples={name: len(part) for name, part in dataset.parts.items()},
        input=dataset.spec.describe(),
        shape=list(dataset.spec.shape),
        findings=dataset.report.to_json(),
    )
    for finding in dataset.report.warnings:
        session.tell("warning", text=finding.line())
    session.tell(
        "start",
        run=str(directory.path),
        network=ready.name,
        why=ready.why,
        parameters=ready.network.parameter_count,
        multiply_adds=ready.network.multiply_adds,
        epochs=recipe.epochs,
        recipe=recipe.to_json(),
    )


def _train_all(ready: Prepared, directory: RunDirectory, session: Session, *, resume: bool) -> None:
    """Folds, the network itself, the comparison, the baseline, the report: then the run is done."""
    began = time.monotonic()
    recipe = ready.recipe
    if not resume:
        directory.save_recipe(recipe.to_toml())  # from here on --resume knows what to do
        remove_card(directory.path)
    info: dict[str, Any] = {}
    result = train_folds(ready, directory, session, resume=resume) if recipe.folds else None
    final = on_everything(ready) if result else ready
    outcome = train_one(final, directory, session, resume=resume)
    if result:
        info["test"] = result.test()
        if result.baseline is not None:
            info["baseline"] = {"name": baseline_name(ready), "accuracy": result.baseline}
    other = comparison(ready)
    if other is not None:
        info["compare"] = train_comparison(other, directory, session, resume=resume)
    if recipe.baseline and not result:
        info |= _baseline(ready, session)
    model = replace(outcome.model, info={**outcome.model.info, **info})
    _told_if_better(model.info, ready, session)
    save_model(directory.model_path, model)
    seconds = time.monotonic() - began
    _report(ready, directory, replace(outcome, model=model), seconds)
    _card(ready, directory, model)
    directory.remove_checkpoint()
    done = {name: model.info[name] for name in ("compare",) if name in model.info}
    session.tell(
        "done",
        run=str(directory.path),
        test=model.info.get("test"),
        baseline=model.info.get("baseline"),
        **done,
        seconds=round(seconds, 2),
    )


def _told_if_better(info: Mapping[str, Any], ready: Prepared, session: Session) -> None:
    simple, test = info.get("baseline"), info.get("test")
    if simple and test:
        said = better_baseline(ready, simple["name"], test["accuracy"], simple["accuracy"])
        if said:
            session.tell("note", text=said)


def _baseline(ready: Prepared, session: Session) -> dict[str, Any]:
    found = train_baseline(ready, session)
    if not isinstance(found, Baseline):
        session.tell("note", text=found)
        return {}
    named = {"name": found.name, "accuracy": found.accuracy}
    session.tell("baseline", **named)
    return {"baseline": named}


def _card(ready: Prepared, directory: RunDirectory, model: Model) -> None:
    dataset, known = ready.dataset, BUILTIN.get(ready.recipe.data.source)
    data = CardData(
        model,
        named(dataset.name),
        {name: len(part) for name, part in dataset.parts.items()},
        ready.recipe.licence,
        f"Licence of the data: {known.licence}; {known.home}" if known else "",
    )
    write_card(directory.path, data)


def _report(ready: Prepared, directory: RunDirectory, outcome: Outcome, seconds: float) -> None:
    history = directory.read_history()
    notes = ready.dataset.report.lines(summary=False)
    if "folds" in outcome.model.info.get("test", {}):
        test = outcome.model.info["test"]
        each = ", ".join(f"{100 * accuracy:.1f}" for accuracy in test["folds"])
        notes = [
            f"{len(test['folds'])} folds: mean test accuracy {100 * test['accuracy']:.2f} % "
            f"({each}); the network kept here was then trained on everything",
            *notes,
        ]
    data = ReportData(
        model=outcome.model,
        dataset=ready.dataset.name,
        counts={name: len(part) for name, part in ready.dataset.parts.items()},
        history=history,
        evaluation=outcome.evaluation,
        part=ready.dataset.parts.get("test"),
        baseline=outcome.model.info.get("baseline"),
        recipe=directory.read_recipe(),
        machine=directory.read_machine(),
        seconds=max(seconds, math.fsum(record.get("seconds") or 0 for record in history)),
        notes=notes,
    )
    write_report(directory.report_path, data)
