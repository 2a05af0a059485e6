"""``beak predict``: what a trained network sees in pictures, hears in sounds or reads in texts."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from beak.cli.asked import Asked
from beak.cli.console import make_console, note, on_terminal, percent, plain, print_json
from beak.cli.options import (
    command,
    data_dir_option,
    device_option,
    engine_option,
    exact_option,
    json_option,
    threads_option,
    told_choice,
)
from beak.cli.paths import nearest_path
from beak.errors import BeakError, DataError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from beak.runs.predictor import Prediction

DOORS = {
    "sounds": ("beak.cli.hearing", "hear"),
    "go": ("beak.cli.predict_go", "predict_go"),
    "texts": ("beak.cli.predict_texts", "predict_texts"),
}
"""By kind of input, what answers; the others are predicted file by file."""
FOLLOWERS = 2
"""How many more labels are named behind the first one on a terminal."""


@command
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("inputs", metavar="INPUT...", nargs=-1)
@click.option("--top", type=click.IntRange(min=1), metavar="K", help="Give the K likeliest labels.")
@click.option(
    "--show",
    type=click.IntRange(min=1),
    metavar="N",
    help="Draw N pictures of a source's test part and what the network sees in them.",
)
@click.option("--microphone", is_flag=True, help="Listen, and say what is heard as it comes.")
@click.option("--move", type=click.IntRange(min=1), metavar="N", help="Go: before move N.")
@click.option("--suggest", is_flag=True, help="Go: every move beside what was expected.")
@threads_option
@engine_option
@device_option("cpu")
@exact_option
@data_dir_option
@json_option
def predict(
    run: Path,
    inputs: tuple[str, ...],
    top: int | None,
    show: int | None,
    microphone: bool,
    move: int | None,
    suggest: bool,
    threads: int | None,
    engine: str,
    device: str,
    exact: bool,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """What a trained network sees in pictures, hears in sounds or reads in texts.

    RUN is a run directory or its model.safetensors. INPUT is a picture of any size and common
    format, a folder or an archive (all pictures in it), or - for the bytes of one picture on
    standard input.
    For a network that hears, INPUT is a sound file or a folder of them; of a recording much longer
    than the network's input comes a time line of labels. --microphone takes no INPUT.
    For a network that reads texts, INPUT is the text itself, a file with a text in each line, or -
    for lines on standard input, however many.
    For a network that plays Go, INPUT is a game record (SGF): the likeliest moves at its end, or
    with --move 57 before that move. --suggest goes through a whole game.

    With --show, INPUT is a source as in beak train: a built-in set, a folder of class folders, ...

    Where the output is no terminal, a line is: input, label, probability, with tabs between.
    """
    from beak.runs.model import load_model

    model = load_model(run)
    asked = Asked(
        model, inputs, top, as_json, threads, exact, microphone, move, suggest, engine, device
    )
    refuse_options_of_other_kinds(asked)
    told_choice(engine, device, "cpu")
    if show is not None:
        from beak.cli.examples import show_examples

        for source in inputs:
            show_examples(
                model, source, show, data_dir=data_dir, threads=threads, exact=exact,
                engine=engine, device=device, as_json=as_json,
            )  # fmt: skip
        return
    module, door = DOORS.get(model.spec.kind, (__name__, "predict_files"))
    getattr(import_module(module), door)(asked)


def refuse_options_of_other_kinds(asked: Asked) -> None:
    """UsageError for an option that the network's kind of input has no use for."""
    model = asked.model
    if asked.microphone and model.spec.kind != "sounds":
        raise UsageError(f"--microphone is for sounds; {model.name} reads {model.spec.kind}")
    if not asked.inputs and not asked.microphone:
        from beak.data.kinds import kind_of

        one = kind_of(model.spec.kind).one
        raise UsageError(f"the argument INPUT is missing: a {one}, a folder of them, or -")
    if (asked.suggest or asked.move is not None) and model.spec.kind != "go":
        option = "--suggest" if asked.suggest else "--move"
        raise UsageError(f"{option} is for games of Go; {model.name} reads {model.spec.kind}")


def predict_files(asked: Asked) -> None:
    """Answers for files and folders of them, one by one."""
    model = asked.model
    names, raws = zip(*files_of(asked.inputs, model.spec.kind), strict=True)
    widths = max(map(len, names)), max(map(len, model.labels))
    printer = make_printer(asked.top, asked.as_json, *widths)
    failed, noted = 0, Counter[str]()
    answers = asked.predictor().predict_many(raws)
    for name, (_, answer) in zip(names, answers, strict=True):
        if isinstance(answer, BeakError):
            if len(names) == 1:
                raise answer
            note(str(answer), "warning")
            failed += 1
            continue
        for text in answer.notes:
            if text not in noted:
                note(f"{name}: {text}")
        noted.update(answer.notes)
        printer(name, answer)
    for text, times in noted.items():
        if times > 1:
            note(f"the same for {times - 1} more: {text}")
    if failed:
        raise DataError(f"{failed} of {len(names)} inputs could not be answered, as said above")


def files_of(inputs: tuple[str, ...], kind: str = "pictures") -> Iterator[tuple[str, Path | bytes]]:
    """Each input with the name it is printed under; a folder or an archive gives the pictures (or
    files of another ``kind``) in it.
    """
    from beak.data.archives import unpacked
    from beak.data.builtin import BUILTIN, default_cache_dir
    from beak.data.unpack import is_archive

    for text in inputs:
        path = Path(text)
        if text == "-":
            yield "-", standard_input()
        elif path.is_dir() or (path.is_file() and is_archive(path.name)):
            place = path if path.is_dir() else unpacked(path, [path], default_cache_dir())[0]
            found = files_below(place, kind)
            if not found:
                raise DataError(f"no {kind} {'under' if path.is_dir() else 'in'} '{text}'")
            yield from ((str(path / p.relative_to(place)), p) for p in found)
        elif path.is_fifo():  # as the shell makes for <(…)
            yield text, path.read_bytes()
        elif path.exists():
            yield text, path
        elif text in BUILTIN:
            raise UsageError(f"'{text}' is a set of {kind}; to see some of it: --show 6")
        else:
            raise UsageError(f"no file or folder '{text}'{nearest_path(path)}")


def files_below(folder: Path, kind: str) -> list[Path]:
    """The files of a kind in a folder and those below it, sorted; or the one file itself."""
    from beak.data.found import is_junk
    from beak.data.kinds import kind_of

    return sorted(
        p
        for p in (folder.rglob("*") if folder.is_dir() else [folder])
        if p.suffix.lower() in kind_of(kind).suffixes
        and not any(map(is_junk, p.relative_to(folder).parts))
        and not p.is_dir()
    )


def standard_input() -> bytes:
    """The bytes of one picture."""
    if given := sys.stdin.buffer.read():
        return given
    raise UsageError("nothing came on standard input; such as: beak predict RUN - < cat.jpg")


def make_printer(top: int | None, as_json: bool, name_width: int, label_width: int) -> Any:
    """The function that prints one answer: as JSON, for people, or between tabs."""
    if as_json:
        from beak.runs.answers import told

        return lambda name, answer: print_json(told(name, answer.to_json(top)))
    if not on_terminal():
        return lambda name, answer: print_tabs(name, answer, top)
    console = make_console()
    width = min(name_width, max(12, console.width // 3))
    return lambda name, answer: print_row(console, name, answer, top, width, label_width)


def print_tabs(name: str, answer: Prediction, top: int | None) -> None:
    """'cat.jpg<TAB>cat<TAB>0.9731', one line for each of the labels asked for."""
    for label, probability in list(answer.probabilities.items())[: top or 1]:
        print(plain(name), plain(label), f"{probability:.4f}", sep="\t")


def print_row(
    console: Console,
    name: str,
    answer: Prediction,
    top: int | None,
    width: int,
    label_width: int,
) -> None:
    """The input, its label, how sure, and what comes next; with ``top``, a line for each label."""
    from rich.text import Text

    ranked = list(answer.probabilities.items())
    name = plain(name)
    shown = name if len(name) <= width else "…" + name[1 - width :]
    for place, (label, probability) in enumerate(ranked[: top or 1]):
        line = Text((shown if place == 0 else "").ljust(width) + "  ", no_wrap=True)
        line.append(plain(label).ljust(label_width), "number" if place == 0 else "")
        line.append(percent(probability).rjust(10))
        if top is None:
            rest = [
                f"{plain(other)} {percent(p)}"
                for other, p in ranked[1 : 1 + FOLLOWERS]
                if p >= 0.001
            ]
            line.append("   " + ", ".join(rest), "dim")
        line.truncate(console.width, overflow="ellipsis")
        console.print(line)
