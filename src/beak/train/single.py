"""One network trained into one directory and tested: what folds and comparisons repeat."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from beak.engine.group import Group
from beak.engine.make import make_engine
from beak.ops.kernel import default_threads
from beak.runs.directory import RunDirectory
from beak.runs.evaluate import Evaluation, evaluate
from beak.runs.machine import beak_version
from beak.runs.model import Model, load_model, save_model
from beak.train.fit import Fit
from beak.train.kept import Keeper
from beak.train.prepare import Prepared
from beak.train.progress import instructions_of
from beak.train.records import EpochRecord
from beak.train.words import start_of

Listener = Callable[[dict[str, Any]], None]

STEP_EVENTS_EVERY = 0.1
"""Seconds between two step events."""


@dataclass(frozen=True)
class Session:
    """Who is told, who may stop it, and on what it runs: nothing that changes the result."""

    listen: Listener = lambda event: None
    stopping: Callable[[], bool] = lambda: False
    threads: int | None = None
    engine: str = "auto"
    """The engine's kind, and on what it computes: as for ``make_engine``."""
    device: str = "cpu"
    run: RunDirectory | None = None
    """What the user would resume: the whole run, also while a part of it trains."""
    group: Group | None = None
    """Processes that share every batch; all but the first are told nothing and write nothing."""
    marks: Mapping[str, Any] = field(default_factory=dict)
    """Added to every event: which fold or comparison it is about."""

    def tell(self, event: str, **values: Any) -> None:
        """Send one event."""
        self.listen({"event": event, **self.marks, **values})

    def marked(self, **marks: Any) -> Session:
        """The same session for one of several trainings."""
        return replace(self, marks={**self.marks, **marks})


@dataclass(frozen=True)
class Outcome:
    """A trained network and how it did on the test part."""

    model: Model
    evaluation: Evaluation | None
    """None without a test part, and for a training that had been finished before."""

    @property
    def test(self) -> dict[str, Any] | None:
        """{"accuracy", "interval", "examples"} of the test part."""
        found: dict[str, Any] | None = self.model.info.get("test")
        return found


def train_one(
    ready: Prepared, directory: RunDirectory, session: Session, *, resume: bool
) -> Outcome:
    """Train, test and save one network; with ``resume`` from the directory's checkpoint.

    The checkpoint stays: whoever called removes it when all that belongs to the run is done.
    """
    dataset, recipe = ready.dataset, ready.recipe
    threads = session.threads or default_threads()
    start = start_of(ready.network, dataset, recipe)
    how: dict[str, Any] = {
        "threads": session.threads, "kind": session.engine, "device": session.device,
        "exact": recipe.exact,
    }  # fmt: skip
    runner = make_engine(
        ready.network, start.parameters, seed=recipe.seed, group=session.group, **how
    )
    judge = make_engine(ready.network, runner.parameters(), beside=runner, **how)
    first = session.group is None or session.group.rank == 0
    if not resume and first:
        directory.save_recipe(recipe.to_toml())
    if first and (not resume or not directory.machine_path.exists()):
        directory.save_machine(
            threads=threads, instructions=instructions_of(runner), engine=runner.name,
            device=session.device,
        )  # fmt: skip
    fitting = Fit(
        runner, dataset, recipe, directory if first else None, judge, threads, session.stopping,
        group=session.group,
    )  # fmt: skip
    fitting.run = session.run
    if first and session.run is not None and session.run.path == directory.path:
        fitting.kept = Keeper.made(directory, recipe, ready.network, dataset, ready.name)
    fitting.restore()
    for note in [*start.notes, *fitting.notes]:
        session.tell("note", text=note)
    _tell_records(fitting, session)
    trained = fitting.trained
    assert trained is not None  # the loop above ended without an error
    if trained.stopped_early:
        best = f"epoch {trained.epoch}'s weights, the best, are kept"
        session.tell("note", text=f"stopped early: no better validation loss any more; {best}")
    judge.set_parameters(trained.parameters)
    evaluation, part = None, dataset.parts.get("test")
    info: dict[str, Any] = {
        "name": dataset.name,
        "network": ready.name,
        "seed": recipe.seed,
        "epochs": trained.epoch,
        "beak": beak_version(),
    }
    model = Model(ready.network, dataset.spec, dataset.labels, trained.parameters, info)
    if not first:
        return Outcome(model, None)
    if part is not None and len(part) > 0:
        evaluation = evaluate(judge, part, dataset.spec, dataset.labels, averaged=True)
        info["test"] = tested(evaluation)
    save_model(directory.model_path, model)
    return Outcome(replace(model, path=directory.model_path), evaluation)


def _tell_records(fitting: Fit, session: Session) -> None:
    told = -STEP_EVENTS_EVERY
    for record in fitting:
        if isinstance(record, EpochRecord):
            session.tell("epoch", **record.to_json())
        elif (now := time.monotonic()) - told >= STEP_EVENTS_EVERY or record.step == record.steps:
            told = now
            session.listen({**record.to_json(), **session.marks})


def tested(evaluation: Evaluation) -> dict[str, Any]:
    """What the "done" event says about a test."""
    found: dict[str, Any] = {
        "accuracy": evaluation.accuracy,
        "interval": list(evaluation.interval),
        "examples": evaluation.examples,
    }
    if evaluation.strata:
        found["top5"] = evaluation.top5
    if evaluation.averaged is not None:
        found["averaged"] = evaluation.averaged.to_json()
    return found


def train_beside(
    ready: Prepared, directory: RunDirectory, name: str, session: Session, *, resume: bool
) -> Outcome:
    """The same in a directory within the run's own, which is left out where it is finished."""
    path = directory.path / name
    if resume and path.exists():
        beside = RunDirectory(path)
        beside.tidy()
        if beside.finished:
            return Outcome(load_model(beside.model_path), None)
    else:
        beside = RunDirectory.create(path, overwrite=True)
    return train_one(ready, beside, session, resume=beside.recipe_path.exists())
