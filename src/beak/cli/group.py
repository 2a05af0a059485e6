"""The ``beak`` command: its commands by name, each loaded only when it is typed."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click

from beak.cli.failures import one_line
from beak.errors import did_you_mean

COMMANDS = {
    "train": "Train a network on your data; --resume goes on with a stopped run.",
    "predict": "What a trained network answers: to pictures, sounds, texts, positions.",
    "evaluate": "How good a trained network is on labelled examples.",
    "explain": "Look into a trained network: what moved an answer, every number's terms.",
    "export": "A trained network as a file for other programs: ONNX, C.",
    "import": "A network made elsewhere (ONNX) as a run.",
    "look": "Look into a trained network in the browser.",
    "serve": "A trained network as an HTTP service: raw files in, answers out.",
    "summary": "A network layer by layer: shapes, parameters, work.",
    "play": "Play Go against a trained network, or let other programs play it.",
    "bench": "How fast a network runs on this machine.",
    "networks": "The catalogue of networks.",
    "data": "The built-in sets of examples, and where they are.",
}
"""Name -> its line in ``beak --help``; the command stands in ``beak/cli/<name>.py``."""
ELSEWHERE = {"import": ("importing", "import_")}
"""Commands whose name Python keeps for itself -> file and name."""


class LazyGroup(click.Group):
    """A group that reads a command's file only when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands' names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        file, name = ELSEWHERE.get(cmd_name, (cmd_name, cmd_name))
        command: click.Command = getattr(import_module(f"beak.cli.{file}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; an unknown name is answered with the nearest one."""
        name = args[0]
        if name in COMMANDS or name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        if os.path.exists(name):
            raise click.UsageError(
                f"'{name}' is no command; to train on it: beak train {shlex.quote(name)}"
            )
        raise click.UsageError(f"no command '{name}'{did_you_mean(name, COMMANDS)}")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands' lines, without loading one of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print the installed version and end."""
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import PackageNotFoundError, version

        try:
            click.echo(f"beak {version('beak')}")
        except PackageNotFoundError:
            click.echo("beak, not installed")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with:  beak train digits     or     beak train FOLDER-OF-CLASS-FOLDERS",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=print_version,
    help="Print the version.",
)
@click.option("--traceback", is_flag=True, expose_value=False, help="Show where an error arose.")
def beak() -> None:
    """Train, open up and ship convolutional networks.

    beak COMMAND --help tells more about each command.
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command line; every failure becomes one line on standard error.

    Returns 0 (done), 1 (the work failed) or 2 (the call was wrong).
    """
    with_traceback = "--traceback" in arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # what its characters lack is shown as ?
            stream.reconfigure(errors="replace")
    try:
        code: Any = beak.main(
            list(arguments) or ["--help"],
            prog_name="beak",
            standalone_mode=False,
            obj=list(arguments),
        )
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BaseException as error:
        if with_traceback:
            import traceback

            traceback.print_exception(error)
        line, code = one_line(error, arguments)
        if line:
            print(line, file=sys.stderr)
        if isinstance(error, BrokenPipeError):
            quiet_standard_output()
        return int(code)


def quiet_standard_output() -> None:
    """Whoever read our output has gone: let nothing complain about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
