"""Another network trained beside, by the same recipe on the same examples."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from beak.network.named import make_network
from beak.runs.directory import RunDirectory
from beak.train.folds import train_folds
from beak.train.prepare import Prepared, choose, given_network, name_of
from beak.train.single import Session, train_beside


def comparison(ready: Prepared) -> Prepared | None:
    """The same data and recipe with the network to compare with."""
    if not ready.recipe.compare:
        return None
    given = given_network(ready.recipe.compare)
    name = name_of(given) if isinstance(given, str) else "own"
    if given == "dense":
        shape, classes = ready.dataset.spec.shape, len(ready.dataset.labels)
        given = make_network("dense", shape, classes, like=ready.network)
    network, text, _ = choose(given, ready.dataset)
    recipe = replace(ready.recipe, network=text, compare="", baseline=False)
    return Prepared(ready.dataset, network, name, "", recipe)


def train_comparison(
    other: Prepared, directory: RunDirectory, session: Session, *, resume: bool
) -> dict[str, Any]:
    """Train it in ``compare`` of the run, or in its folds; its name, size and test.

    With folds it is tested as the network itself: by a training on each of the same folds.
    """
    own = session.marked(compare=other.name)
    path = directory.path / "compare"
    test: dict[str, Any] | None
    if other.recipe.folds:
        path.mkdir(exist_ok=True)
        test = train_folds(other, RunDirectory(path), own, resume=resume).test()
    else:
        test = train_beside(other, directory, "compare", own, resume=resume).test
        RunDirectory(path).remove_checkpoint()
    found = {"name": other.name, "parameters": other.network.parameter_count, "test": test}
    own.tell("compare", **found)
    return found
