"""Options that several commands share."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from beak.errors import UsageError

if TYPE_CHECKING:
    from beak.engine.choice import Choice

Function = TypeVar("Function", bound=Callable[..., Any])

json_option = click.option(
    "--json", "as_json", is_flag=True, help="For programs: one JSON object a line, nothing else."
)
input_option = click.option(
    "--input", "input_text", metavar="C,H,W", help="Input shape, for a network by name."
)
classes_option = click.option(
    "--classes",
    type=click.IntRange(min=2),
    metavar="N",
    help="Classes, for a network by name.",
)


def _cores_at_most(
    context: click.Context, parameter: click.Parameter, given: int | None
) -> int | None:
    """As many threads as were asked for, or as there are cores: more would only wait."""
    from beak.cli.console import how_many, note
    from beak.ops.kernel import default_threads

    if given is None or given <= (cores := default_threads()):
        return given
    note(f"--threads {given}: there are {how_many(cores, 'core')} here, so {cores} compute")
    return cores


threads_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    callback=_cores_at_most,
    metavar="N",
    help="How many threads compute (all cores).",
)
engine_option = click.option(
    "--engine",
    type=click.Choice(["auto", "native", "torch"]),
    default="auto",
    help="What computes: beak's own kernels, or PyTorch (extra torch).",
)


def device_option(default: str) -> Callable[[Function], Function]:
    """``--device``: training takes a GPU by itself, a few answers do not wait for one."""
    return click.option(
        "--device",
        default=default,
        metavar="auto|cpu|cuda|mps",
        help="On what: auto takes a GPU where PyTorch sees one.",
    )


def told_choice(engine: str, device: str, default: str = "auto") -> Choice:
    """What computes; it is said on standard error unless it is what everybody gets unasked."""
    from beak.cli.console import note
    from beak.engine.choice import choose_engine

    choice = choose_engine(engine, device)
    if (engine, device) != ("auto", default) or choice.kind != "native":
        note(choice.line(), "engine")
    return choice


exact_option = click.option(
    "--exact", is_flag=True, help="Direct sums: no Winograd, no folded norms; slower."
)
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where the built-in sets lie.",
)


def text_options(command: Any) -> Any:
    """``--text``, ``--label``, ``--encoding``: how a table of texts is read."""
    for option in (
        click.option("--encoding", metavar="NAME", help="Texts: of the files; else UTF-8."),
        click.option("--label", metavar="COLUMN", help="Texts: the column of their labels."),
        click.option("--text", metavar="COLUMN", help="Texts: the column that they stand in."),
    ):
        command = option(command)
    return command


class Command(click.Command):
    """A command that takes no empty words: as a path each would be the present directory."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does; UsageError where a word, or what follows an option's =, is empty."""
        for before, word in itertools.pairwise(["", *args]):
            name = word[:-1] if word.startswith("--") and word.endswith("=") else before
            if word == "" or name != before:
                where = f"'{name}'" if name.startswith("-") else "an argument"
                raise click.UsageError(f"{where} is empty: a variable without a value?", ctx)
        return super().parse_args(ctx, args)


def command(function: Function) -> click.Command:
    """A command of beak, with ``--traceback``."""
    made = click.command(cls=Command, context_settings={"show_default": True})(function)
    made.params.append(
        click.Option(
            ["--traceback"], is_flag=True, expose_value=False, help="Show where an error arose."
        )
    )
    return made


def shape(text: str | None) -> tuple[int, ...] | None:
    """'1,28,28' -> (1, 28, 28)."""
    if text is None:
        return None
    try:
        sizes = tuple(int(word) for word in text.replace("x", ",").split(","))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise UsageError(f"--input '{text}': wanted channels,height,width such as 1,28,28")
    return sizes
