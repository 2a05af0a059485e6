"""``beak train``: from raw files to a trained network."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from beak.cli.options import (
    command,
    data_dir_option,
    device_option,
    engine_option,
    exact_option,
    json_option,
    text_options,
    threads_option,
)
from beak.errors import BeakError, UsageError

if TYPE_CHECKING:
    from beak.cli.training import JsonView, TrainingView
    from beak.runs.run import Run


OF_TEXTS = ("text", "label", "encoding", "vectors")
"""Options that are keys of the recipe's [data]."""
MOST_TEXTS = 5
"""Test texts that are shown with their answers at the end."""


OF_YOURS = {
    "pictures": ("PICTURE", "what it sees in pictures of yours"),
    "sounds": ("FILE.wav", "what it hears in recordings of yours, or --microphone"),
    "texts": ("'A TEXT'", "what it reads in texts of yours"),
    "go": ("GAME.sgf --suggest", "what it expects in a game of yours"),
}
"""What can be given to ``beak predict``, and what for."""


STILL_OPEN = ("threads", "data_dir", "engine", "device", "processes")
"""What may be said anew when a run goes on."""


class Folds(click.ParamType[Any]):
    """A whole number from 2, or the word for what the examples are grouped by."""

    name = "folds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """The number or the word."""
        text = str(value).strip()
        if not text.lstrip("+-").isdigit():
            return text
        if int(text) < 2:
            self.fail(f"{text} is not at least 2", param, ctx)
        return int(text)


@command
@click.argument("source", metavar="[SOURCE]", required=False)
@click.option("--network", metavar="NAME|FILE.json", help="The network; left out: chosen to fit.")
@click.option("--from", "start", metavar="RUN", help="Begin with a trained run's layers.")
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
@click.option("--batch", type=click.IntRange(min=1), metavar="N", help="Examples in a step.")
@click.option("--seed", type=int, metavar="S", help="Where all random numbers come from.")
@click.option(
    "--folds",
    type=Folds(),
    metavar="N|WORD",
    help="Cross-validate in N folds, or leave out one speaker at a time: --folds speaker.",
)
@click.option("--compare", metavar="NETWORK", help="Train another one beside, such as dense.")
@click.option(
    "--kind",
    type=click.Choice(["auto", "pictures", "sounds", "texts", "go"]),
    default="auto",
    help="Of data.",
)
@text_options
@click.option("--vectors", metavar="FILE", help="Texts: word vectors trained elsewhere.")
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
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    metavar="N",
    help="Train in N processes that share each batch (extra torch).",
)
@threads_option
@engine_option
@device_option("auto")
@exact_option
@data_dir_option
@json_option
def train(source: str | None, as_json: bool, resume: Path | None, **options: Any) -> None:
    """Train a network on pictures, sounds, texts or games of Go; the rest follows from the data.

    SOURCE is a built-in set (beak data), a folder of class folders (with or without train/, val/
    and test/ above them), a CSV or TSV of path and label, a folder of idx files, or an .npz. Texts
    are a CSV, TSV or JSON lines of text and label, a folder of class folders of .txt, a file of
    "label text" lines, or a file for each class. Games are SGF files in a
    folder or an archive (.zip, .tar.gz).

    Ctrl-C at any time; beak train --resume RUN goes on exactly where it was.
    """
    from beak.cli.processes import OneOfSeveral
    from beak.cli.training import JsonView, TrainingView

    check_call(source, resume, options)
    for name in OF_TEXTS:
        value = options.pop(name)
        if value is not None:
            options["settings"] += (f"data.{name}={value}",)
    options["kind"] = None if options["kind"] == "auto" else options["kind"]
    if options.pop("find_lr"):
        from beak.cli.finding import find_learning_rate

        find_learning_rate(source, options, as_json)
        return
    many = options.pop("processes") or 1
    if many > 1:
        from beak.cli.processes import start_processes

        context = click.get_current_context()
        typed = context.find_root().obj
        context.exit(start_processes(many, without_processes(typed)))
    with JsonView() if as_json else TrainingView() as view, OneOfSeveral() as several:
        try:
            several.listen()
            run = start(source, resume, options, view)
        except KeyboardInterrupt:
            from beak.cli.launcher import stopped

            raise stopped(view.run) from None
    if view.done and not as_json:
        show_what_came_of_it(run, options)


def without_processes(words: Sequence[str]) -> list[str]:
    """What was typed, but for ``--processes N``.

    >>> without_processes(["train", "x", "--processes", "2", "--epochs", "1"])
    ['train', 'x', '--epochs', '1']
    """
    kept = [word for word in words if not word.startswith("--processes=")]
    if "--processes" in kept:
        at = kept.index("--processes")
        del kept[at : at + 2]
    return kept


def check_call(source: str | None, resume: Path | None, options: dict[str, Any]) -> None:
    """SOURCE (which a recipe may name) or --resume, not both, not neither."""
    given = [name for name, value in options.items() if value not in (None, False, (), "auto")]
    if resume is not None:
        more = [f"--{name.replace('_', '-')}" for name in given if name not in STILL_OPEN]
        more = ["SOURCE"] * (source is not None) + more
        if more:
            raise UsageError(
                f"--resume goes on with the run's own data and recipe; leave out {', '.join(more)}"
            )
    elif source is None and options["recipe"] is None:
        raise UsageError(
            "the argument SOURCE is missing: a folder of class folders, or a built-in "
            "set such as digits (beak train --help)"
        )


def start(
    source: str | None, resume: Path | None, options: dict[str, Any], view: JsonView | TrainingView
) -> Run:
    """Train, or go on with a training."""
    from beak.train import train as training

    if resume is not None:
        return training.resume(
            resume, listen=view.listen, progress=view.progress, threads=options["threads"],
            engine=options["engine"], device=options["device"],
        )  # fmt: skip
    settings = {name: value for name, value in options.items() if name != "no_baseline"}
    settings["set"] = settings.pop("settings")
    settings["baseline"] = False if options["no_baseline"] else None
    settings["exact"] = options["exact"] or None  # not given: as the recipe says
    return training.train(source, listen=view.listen, progress=view.progress, **settings)


def show_what_came_of_it(run: Run, options: dict[str, Any]) -> None:
    """A few pictures with the network's answers, and what to type next."""
    from beak.cli.console import make_console
    from beak.cli.examples import fitting_in_a_row, show_examples
    from beak.cli.text_examples import is_small

    console = make_console()
    console.print()
    data = run.recipe_data
    texts = run.model.spec.kind == "texts"
    reading = {key: data[key] for key in ("text", "label", "encoding") if texts and data.get(key)}
    with contextlib.suppress(BeakError):  # no test part, or the source has gone: nothing to draw
        if not texts or is_small(data.get("source", "")):
            show_examples(
                run.model,
                data.get("source", ""),
                MOST_TEXTS if texts else fitting_in_a_row(console.width),
                data_dir=options["data_dir"] or data.get("directory") or None,
                threads=options["threads"],
                reading=reading,
            )
            if texts:
                console.print()
    console.print(" next", style="label")
    for line in next_lines(program(), run.path, console.width, run.model.spec.kind):
        console.print(line, soft_wrap=True)


def next_lines(beak: str, run: Path, width: int, kind: str = "pictures") -> list[str]:
    """What can be typed now and what for: side by side, or one under the other where that is wide.

    What is typed is never cut: it can be copied.
    """
    path = shlex.quote(str(run))
    given, why = OF_YOURS.get(kind, OF_YOURS["pictures"])
    rows = (
        (f"{beak} predict {path} {given}", why),
        *(((f"{beak} play {path}", "play against it"),) if kind == "go" else ()),
        (f"{beak} evaluate {path} SOURCE", "how good it is on others"),
        (f"{beak} summary {path}", "the network layer by layer"),
        (shlex.quote(str(run / "report.html")), "curves, classes and mistakes"),
    )
    longest = max(len(typed) for typed, _ in rows)
    beside = [f"   {typed:{longest}}  {why}" for typed, why in rows]
    if max(map(len, beside)) <= width:
        return beside
    return [line for typed, why in rows for line in (f"   {why}:", f"     {typed}")]


def program() -> str:
    """What to type for beak here: 'beak', or where it lies when the shell does not find it."""
    if shutil.which("beak"):
        return "beak"
    typed = os.path.relpath(sys.argv[0])
    return shlex.quote(typed) if os.path.basename(typed) == "beak" else "python -m beak"
