"""``beak train``: from raw files to a trained network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from beak.cli.console import on_terminal
from beak.cli.options import command, data_dir_option, json_option, threads_option
from beak.errors import RunError, UsageError

if TYPE_CHECKING:
    from beak.cli.training import JsonView, TrainingView
    from beak.runs.run import Run


@command
@click.argument("source", metavar="SOURCE", required=False)
@click.option("--network", metavar="NAME|FILE.json", help="The network; left out: chosen to fit.")
@click.option("--recipe", type=click.Path(path_type=Path), metavar="FILE.toml", help="Train by it.")
@click.option("--out", type=click.Path(path_type=Path), metavar="RUN", help="Directory of the run.")
@click.option("--overwrite", is_flag=True, help="Replace the run that stands at --out.")
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Go on with a stopped run, exactly where it was.",
)
@click.option("--epochs", type=click.IntRange(min=1), metavar="N", help="Times through the data.")
@click.option("--batch", type=click.IntRange(min=1), metavar="N", help="Pictures in a step.")
@click.option("--seed", type=int, metavar="S", help="Where all random numbers come from.")
@click.option("--folds", type=click.IntRange(min=2), metavar="N", help="Cross-validate in N folds.")
@click.option("--compare", metavar="NETWORK", help="Train another one beside, such as dense.")
@click.option("--kind", type=click.Choice(["auto", "pictures"]), default="auto", help="Of data.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one value of the recipe, such as optimiser.learning_rate=0.01.",
)
@click.option("--find-lr", is_flag=True, help="Only look for a good learning rate.")
@click.option("--no-baseline", is_flag=True, help="Train no linear baseline beside.")
@click.option("--strict", is_flag=True, help="Unreadable files are an error.")
@threads_option
@data_dir_option
@json_option
def train(source: str | None, as_json: bool, resume: Path | None, **options: Any) -> None:
    """Train a network on pictures; the rest follows from the data.

    SOURCE is a built-in set (beak data), a folder of class folders (with or without train/, val/
    and test/ above them), a CSV or TSV of path and label, a folder of idx files, or an .npz.

    Ctrl-C at any time; beak train --resume RUN goes on exactly where it was.
    """
    from beak.cli.training import JsonView, TrainingView

    check_call(source, resume, options)
    with JsonView() if as_json else TrainingView() as view:
        try:
            run = start(source, resume, options, view)
        except KeyboardInterrupt:
            raise stopped(view.run) from None
    if not as_json and run is not None:
        say_what_next(run)


def check_call(source: str | None, resume: Path | None, options: dict[str, Any]) -> None:
    """SOURCE or --resume, not both, not neither."""
    given = [name for name, value in options.items() if value not in (None, False, (), "auto")]
    if resume is not None:
        more = [
            f"--{name.replace('_', '-')}" for name in given if name not in ("threads", "data_dir")
        ]
        more = ["SOURCE"] * (source is not None) + more
        if more:
            raise UsageError(
                f"--resume goes on with the run's own data and recipe; leave out {', '.join(more)}"
            )
    elif source is None:
        raise UsageError(
            "the argument SOURCE is missing: a folder of class folders, or a built-in "
            "set such as digits (beak train --help)"
        )


def start(
    source: str | None, resume: Path | None, options: dict[str, Any], view: JsonView | TrainingView
) -> Run | None:
    """Do what was asked; None where no run comes of it."""
    threads, data_dir = options["threads"], options["data_dir"]
    if resume is not None:
        from beak.train.train import resume as go_on

        return go_on(resume, listen=view.listen, threads=threads)
    if options.pop("find_lr"):
        from beak.cli.finding import find_learning_rate

        find_learning_rate(source, options, view)
        return None
    from beak.train.train import train as train_network

    settings = {name: value for name, value in options.items() if value not in (None, ())}
    settings["set"] = settings.pop("settings", ())
    settings["baseline"] = not settings.pop("no_baseline")
    return train_network(source, listen=view.listen, **settings)


def stopped(run: str | None) -> RunError:
    """What Ctrl-C answers."""
    if run is None:
        return RunError("stopped before the training began")
    return RunError(f"stopped; go on with: beak train --resume {run}")
