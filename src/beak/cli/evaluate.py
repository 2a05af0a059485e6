"""``beak evaluate``: how good a trained network is on labelled pictures or texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from beak.cli.console import count, how_many, make_console, note, percent, plain, print_json
from beak.cli.options import (
    command,
    data_dir_option,
    device_option,
    engine_option,
    exact_option,
    json_option,
    text_options,
    threads_option,
    told_choice,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from beak.runs.evaluate import ClassScore, Evaluation
    from beak.runs.run import Run

MOST_CLASSES = 20
"""With more classes than this, people see the worst ones; ``--json`` has all."""
MOST_LINES = 5


@command
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("source", metavar="SOURCE")
@click.option(
    "--part",
    type=click.Choice(["test", "validation", "train", "all"]),
    default="test",
    help="Which of the source's examples to count.",
)
@text_options
@threads_option
@engine_option
@device_option("auto")
@exact_option
@data_dir_option
@json_option
def evaluate(
    run: Path,
    source: str,
    part: str,
    threads: int | None,
    engine: str,
    device: str,
    exact: bool,
    data_dir: Path | None,
    as_json: bool,
    **reading: str | None,
) -> None:
    """How good a trained network is on labelled pictures or texts.

    RUN is a run directory or its model.safetensors, SOURCE as in beak train. Counted is the
    source's test part: the given one, or else the tenth that training on it leaves out. For
    examples that were never trained on: --part all.
    """
    from beak.data.kinds import kind_of
    from beak.runs.run import Run

    choice = told_choice(engine, device)
    opened = Run(run, threads, choice.kind, exact, choice.device)
    how = {name: value for name, value in reading.items() if value is not None}
    found = opened.evaluate(source, part=part, data_dir=data_dir, reading=how)
    for text in (*found.notes, *_into_card(opened, source, part, found)):
        note(text)
    if as_json:
        print_json(found.to_json())
        return
    show_evaluation(make_console(), found, kind_of(opened.model.spec.kind).one)


def _into_card(run: Run, source: str, part: str, found: Evaluation) -> tuple[str, ...]:
    """Put the figure into the run's README.md, where beak wrote one; what to say about it."""
    from beak.errors import RunError
    from beak.runs.card import add_figure, figure_of, named
    from beak.runs.directory import CARD

    if not run.path.is_dir():
        return ()
    try:
        written = add_figure(run.path, run.model, figure_of(named(source), part, found))
    except RunError as error:  # the figure is there all the same, a card is not why it was asked
        return (str(error),)
    return (f"{run.path / CARD} has this figure",) if written else ()


def show_evaluation(console: Console, found: Evaluation, thing: str = "picture") -> None:
    """The result, each class, what is taken for what, the surest mistakes."""
    if found.strata:
        show_strata(console, found)
        return
    low, high = found.interval
    console.print(
        f"{percent(found.accuracy)} of {how_many(found.examples, thing)} right "
        f"(95 % interval {100 * low:.1f} to {percent(high)}), loss {found.loss:.4f}\n",
        style="good",
    )
    worst = sorted(found.classes, key=lambda score: score.f1 if score.f1 is not None else 2.0)
    kept = worst[:MOST_CLASSES] if len(worst) > MOST_CLASSES else found.classes
    console.print(table_of_classes(kept, thing + "s"))
    if len(worst) > MOST_CLASSES:
        console.print(f"the {MOST_CLASSES} worst of {len(worst)} labels", style="dim")
    confused = confusions(found)
    if confused:
        console.print("\nmost often confused", style="dim")
        for line in confused[:MOST_LINES]:
            console.print(f"  {line}")
    if found.mistakes:
        console.print("\nsurest mistakes", style="dim")
        for mistake in found.mistakes[:MOST_LINES]:
            console.print(
                f"  {plain(mistake.name)}: {plain(mistake.label)}, "
                f"taken for {plain(mistake.predicted)} with {percent(mistake.probability)}"
            )


def show_strata(console: Console, found: Evaluation) -> None:
    """Moves of Go: the first answer, the first five, phase by phase, all symmetries together."""
    from rich.table import Table

    low, high = found.interval
    console.print(
        f"{percent(found.accuracy)} of {how_many(found.examples, 'move')} right "
        f"(95 % interval {100 * low:.1f} to {percent(high)}), "
        f"{percent(found.top5 or 0)} among the five likeliest, loss {found.loss:.4f}",
        style="good",
    )
    if found.averaged is not None:
        console.print(
            f"{percent(found.averaged.accuracy)}, {percent(found.averaged.top5)} among five: mean "
            f"of the answers to {found.averaged.views} symmetries"
        )
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    table.add_column("\nphase", style="label")
    for name in ("\nright", "among\nfive", "\nmoves"):
        table.add_column(name, justify="right", no_wrap=True)
    for stratum in found.strata:
        shares = [
            "-" if share is None else percent(share) for share in (stratum.accuracy, stratum.top5)
        ]
        table.add_row(stratum.name, *shares, count(stratum.examples))
    console.print()
    console.print(table)
    if found.mistakes:
        console.print("\nsurest mistakes", style="dim")
        for mistake in found.mistakes[:MOST_LINES]:
            console.print(
                f"  {plain(mistake.name)}: {plain(mistake.label)} was played, "
                f"{plain(mistake.predicted)} expected with {percent(mistake.probability)}"
            )


def table_of_classes(
    scores: tuple[ClassScore, ...] | list[ClassScore], things: str = "pictures"
) -> Table:
    """Precision, recall and F1 of each class, and how many examples of it there are."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    table.add_column("label", style="label", overflow="fold")
    for name in ("precision", "recall", "F1", things):
        table.add_column(name, justify="right", no_wrap=True)
    for score in scores:
        shares = [
            "-" if share is None else percent(share)
            for share in (score.precision, score.recall, score.f1)
        ]
        table.add_row(plain(score.label), *shares, count(score.support))
    return table


def confusions(found: Evaluation) -> list[str]:
    """'4 taken for 9: 3 times', the most frequent first."""
    wrong = np.array(found.confusion)
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")
    places = [divmod(int(place), len(wrong)) for place in order[:MOST_LINES]]
    return [
        f"{plain(found.labels[i])} taken for {plain(found.labels[j])}: "
        f"{how_many(int(wrong[i, j]), 'time')}"
        for i, j in places
        if wrong[i, j]
    ]
