"""Another network trained beside, by the same recipe on the same examples."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from beak.network.named import make_network
from beak.runs.directory import RunDirectory
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
    recipe = replace(ready.recipe, network=text, compare="", folds=0, baseline=False)
    return Prepared(ready.dataset, network, name, "", recipe)


def train_comparison(
    other: Prepared, directory: RunDirectory, session: Session, *, resume: bool
) -> dict[str, Any]:
    """Train it in ``compare`` of the run; its name, size and test."""
    own = session.marked(compare=other.name)
    outcome = train_beside(other, directory, "compare", own, resume=resume)
    RunDirectory(directory.path / "compare").remove_checkpoint()
    found = {"name": other.name, "parameters": other.network.parameter_count, "test": outcome.test}
    own.tell("compare", **found)
    return found
