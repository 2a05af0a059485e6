"""Every way to fail, as one line and an exit code."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Sequence

import click

from beak.errors import BeakError, did_you_mean

OPTIONS_ELSEWHERE = {
    "--batch-size": "--batch 64",
    "--config": "--recipe FILE.toml",
    "--cpu": "--device cpu",
    "--force": "--overwrite",
    "--gpu": "--device cuda, or nothing: a GPU is taken where PyTorch sees one",
    "--img-size": "--set data.size=32,32",
    "--imgsz": "--set data.size=32,32",
    "--learning-rate": "--set optimiser.learning_rate=0.01",
    "--lr": "--set optimiser.learning_rate=0.01",
    "--model": "--network NAME",
    "--optimizer": "--set optimiser.kind=sgd",
    "--output": "--out RUN",
    "--size": "--set data.size=32,32",
    "--top-k": "--top 5",
    "--verbose": "nothing: all there is to say is said",
    "--workers": "--threads 4",
}
"""Options of other tools, and what they are here."""


def one_line(error: BaseException, arguments: Sequence[str]) -> tuple[str, int]:
    """What to print and the exit code; an empty line where there is nothing to say."""
    speaker = speaker_of(error, arguments)
    if isinstance(error, BrokenPipeError):
        return "", 1
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return say(speaker, "stopped"), 1
    if isinstance(error, BeakError):
        begin = f"{speaker.removeprefix('beak ')}: "  # as Python users are told who speaks
        return say(speaker, flat(str(error)).removeprefix(begin)), error.exit_code
    if isinstance(error, click.UsageError):
        hint = f" ({speaker} --help)" if "--help" not in usage(error) else ""
        return say(speaker, flat(usage(error)) + hint), 2
    if isinstance(error, click.ClickException):
        return say(speaker, flat(error.format_message())), 1
    if isinstance(error, MemoryError):
        return say(speaker, "not enough memory; --batch smaller, or a smaller network"), 1
    if isinstance(error, OSError) and error.errno is not None:
        return say(speaker, system_error(error, speaker)), 1
    text = flat(str(error))
    kind = type(error).__name__ + (f": {text}" if text else "")
    return say(speaker, f"unexpected {kind} (the same with --traceback shows where)"), 1


def speaker_of(error: BaseException, arguments: Sequence[str]) -> str:
    """'beak train' for an error in that command."""
    from beak.cli.group import COMMANDS

    ctx = getattr(error, "ctx", None)
    if ctx is not None:
        return str(ctx.command_path)
    named = [word for word in arguments if not word.startswith("-")][:1]
    return f"beak {named[0]}" if named and named[0] in COMMANDS else "beak"


def usage(error: click.UsageError) -> str:
    """What is wrong with the call, with the nearest option where one was misspelt."""
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        known = [
            name
            for parameter in error.ctx.command.get_params(error.ctx)
            for name in parameter.opts
            if name.startswith("--")
        ]
        if error.option_name in OPTIONS_ELSEWHERE and error.ctx.command.name == "train":
            return f"no option '{error.option_name}'; here: {OPTIONS_ELSEWHERE[error.option_name]}"
        near = did_you_mean(error.option_name, known)
        return f"no option '{error.option_name}'" + (near if "did you mean" in near else "")
    if isinstance(error, click.MissingParameter) and error.param is not None:
        name = error.param.make_metavar(error.ctx) if error.ctx else error.param.human_readable_name
        kind = "option" if error.param.param_type_name == "option" else "argument"
        return f"the {kind} {name.strip('.')} is missing"
    text = error.format_message().rstrip(".").removeprefix("Invalid value for ")
    return lower_first(re.sub(r"is not a valid integer( range)?", "is not a whole number", text))


def system_error(error: OSError, speaker: str) -> str:
    """'no space left on device: runs/a/model.safetensors'."""
    text = lower_first(error.strerror or os.strerror(error.errno or 0))
    where = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, (str, bytes)) else ""
    training = speaker == "beak train"
    advice = {
        errno.ENOSPC: "; make room" + training * " and go on with beak train --resume RUN",
        errno.EACCES: "; choose another place or change its permissions",
        errno.EROFS: "; choose another place",
    }
    return text + where + advice.get(error.errno or 0, "")


def say(speaker: str, text: str) -> str:
    """The line; its speaker in red where standard error is a terminal."""
    if sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
        speaker = click.style(speaker, fg="red", bold=True)
    return f"{speaker}: {text}"


def flat(text: str) -> str:
    """The text in one line, without characters that could steer a terminal."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", text).split())


def lower_first(text: str) -> str:
    """The text with a small first letter, but for words in capitals."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
