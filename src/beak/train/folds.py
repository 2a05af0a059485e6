"""Cross-validation: every example is tested once, by a network that has not seen it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from beak.data.dataset import Dataset
from beak.errors import DataError
from beak.runs.directory import RunDirectory
from beak.runs.evaluate import wilson
from beak.runs.model import Model, save_model
from beak.train.baseline import Baseline, train_baseline
from beak.train.prepare import Prepared, on
from beak.train.single import Session, train_beside


@dataclass(frozen=True)
class FoldsResult:
    """The folds' tests together."""

    accuracies: tuple[float, ...]
    examples: int
    correct: int
    baseline: float | None
    """Mean accuracy of the folds' baselines; None where there were none."""

    @property
    def accuracy(self) -> float:
        """The mean of the folds' test accuracies."""
        return sum(self.accuracies) / len(self.accuracies)

    def test(self) -> dict[str, Any]:
        """As the "done" event has it; the interval is Wilson's for all tested examples."""
        interval = list(wilson(self.correct, self.examples))
        return {
            "accuracy": self.accuracy,
            "interval": interval,
            "examples": self.examples,
            "folds": list(self.accuracies),
        }


def train_folds(
    ready: Prepared, directory: RunDirectory, session: Session, *, resume: bool
) -> FoldsResult:
    """Train a network for each fold, in ``folds/1`` … of the run; finished ones are kept."""
    folds: list[Dataset] = ready.dataset.folds(ready.recipe.folds)
    accuracies, examples, correct, baselines = [], 0, 0, []
    for number, dataset in enumerate(folds, start=1):
        own = session.marked(fold=number, folds=len(folds))
        part = on(ready, dataset, replace(ready.recipe, folds=0))
        outcome = train_beside(part, directory, f"folds/{number}", own, resume=resume)
        test = outcome.test
        if test is None:
            raise DataError(f"fold {number} of {len(folds)} has no example to test; use fewer")
        accuracies.append(test["accuracy"])
        examples += test["examples"]
        correct += round(test["accuracy"] * test["examples"])
        beside = RunDirectory(directory.path / "folds" / str(number))
        if ready.recipe.baseline:
            baselines.append(_fold_baseline(part, beside, outcome.model, own))
        beside.remove_checkpoint()
        own.tell("fold", test=test, baseline=baselines[-1] if baselines else None)
    known = [b for b in baselines if b is not None]
    mean = sum(known) / len(known) if known else None
    return FoldsResult(tuple(accuracies), examples, correct, mean)


def _fold_baseline(
    ready: Prepared, beside: RunDirectory, model: Model, session: Session
) -> float | None:
    """The fold's baseline accuracy, kept in its weights file so that it is trained only once."""
    if "baseline" in model.info:
        kept: float | None = model.info["baseline"]
        return kept
    found = train_baseline(ready, session)
    accuracy = found.accuracy if isinstance(found, Baseline) else None
    save_model(beside.model_path, replace(model, info={**model.info, "baseline": accuracy}))
    return accuracy


def on_everything(ready: Prepared) -> Prepared:
    """What the network that is kept is trained on: all examples, with nothing left to test."""
    return on(ready, ready.dataset.everything(), ready.recipe)
