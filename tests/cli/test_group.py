"""The command line as a whole: help, exit codes, one line for every failure."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from beak.cli.console import duration, how_many, percent
from beak.cli.failures import one_line
from beak.cli.group import COMMANDS, run
from beak.errors import DataError, MissingExtraError, RunError, UsageError


def process(*arguments: str, **settings) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "beak", *arguments],
        capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, **settings,
    )  # fmt: skip


def test_help_names_every_command_and_loads_none(capsys):
    before = set(sys.modules)
    assert run(["--help"]) == 0
    said = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n  {name} " in said
    loaded = {name.split(".")[-1] for name in set(sys.modules) - before if "beak.cli." in name}
    assert not loaded & set(COMMANDS)


def test_no_command_shows_the_help(capsys):
    assert run([]) == 0
    assert "Usage: beak" in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_help(name, capsys):
    assert run([name, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"Usage: beak {name}" in said
    assert "--traceback" in said


def test_help_imports_nothing_heavy():
    heavy = "numpy", "torch", "rich", "PIL", "sklearn", "fastapi", "safetensors"
    code = (
        "import sys; from beak.cli import main; sys.argv = ['beak', '--help']; main();"
        f"print([m for m in {heavy} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr.strip() == "[]"


def test_the_face_imports_nothing_until_a_name_is_used():
    code = "import sys, beak; print(sorted(m for m in sys.modules if m.startswith('beak')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "['beak']"


def test_every_name_of_the_face_is_there():
    import beak

    for name in beak.__all__:
        if name not in ("CNNClassifier", "__version__"):  # an extra; an installed beak
            assert getattr(beak, name) is not None
    with pytest.raises(AttributeError, match=r"beak has no 'Conv2d'; did you mean 'Conv2D'\?"):
        beak.Conv2d


def test_train_can_be_called_whatever_was_imported_first():
    for first in ("beak.train.recipe", "beak.train.train", "beak"):
        code = f"import {first}, beak; print(callable(beak.train), callable(beak.resume))"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
        )
        assert done.stdout.strip() == "True True", done.stderr


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (DataError("no pictures"), "beak train: no pictures", 1),
        (UsageError("no file 'x'"), "beak train: no file 'x'", 2),
        (RunError("two\nlines \x1b[31m"), "beak train: two lines ?[31m", 1),
        (MissingExtraError("the estimator", "sklearn"),
         'beak train: the estimator needs an extra: pip install "beak[sklearn]"', 1),
        (KeyboardInterrupt(), "beak train: stopped", 1),
        (click.Abort(), "beak train: stopped", 1),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "", 1),
        (OSError(errno.ENOSPC, "No space left on device", "runs/a"),
         "beak train: no space left on device: runs/a; "
         "make room and go on with beak train --resume RUN", 1),
        (KeyError("conv9"),
         "beak train: unexpected KeyError: 'conv9' (the same with --traceback shows where)", 1),
        (AssertionError(),
         "beak train: unexpected AssertionError (the same with --traceback shows where)", 1),
    ],
)  # fmt: skip
def test_a_failure_is_one_line_and_a_code(error, line, code):
    assert one_line(error, ["train", "digits"]) == (line, code)


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("trian digits", "beak: no command 'trian'; did you mean 'train'? (beak --help)"),
        ("xyzzy", "beak: no command 'xyzzy'; known: bench, data, evaluate"),
        ("train --epoch 3", "beak train: no option '--epoch'; did you mean '--epochs'?"),
        ("train --epochs three digits", "beak train: '--epochs': 'three' is not a whole number"),
        ("train --epochs 0 digits", "beak train: '--epochs': 0 is not in the range x>=1"),
        ("train", "beak train: the argument SOURCE is missing"),
        ("train a b", "beak train: got unexpected extra argument (b)"),
        ("train digits --resume runs/a", "beak train: --resume goes on with the run's own"),
        ("predict", "beak predict: the argument RUN is missing"),
        ("summary", "beak summary: the argument RUN|NETWORK|FILE.json is missing"),
        ("--trace", "beak: no option '--trace'; did you mean '--traceback'?"),
    ],
)
def test_a_wrong_call_is_answered_in_one_line(typed, line, capsys):
    assert run(typed.split()) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(line), said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("typed", "where"),
    [
        (["evaluate", "runs/a", ""], "an argument"),
        (["predict", "", "cat.jpg"], "an argument"),
        (["train", "photos", "--out", "", "--epochs", "1"], "'--out'"),
        (["train", "photos", "--recipe="], "'--recipe'"),
    ],
)
def test_an_empty_word_is_not_taken_for_the_present_directory(typed, where, capsys):
    assert run(typed) == 2
    said = f"beak {typed[0]}: {where} is empty: a variable without a value? "
    assert capsys.readouterr().err == f"{said}(beak {typed[0]} --help)\n"


def test_a_folder_typed_as_a_command_is_answered_with_train(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("my photos").mkdir()
    assert run(["my photos"]) == 2
    assert "to train on it: beak train 'my photos' (" in capsys.readouterr().err


def test_a_stack_trace_only_where_it_is_asked_for(tmp_path):
    (tmp_path / "bad.json").write_text("{")
    for more, traces in (((), 0), (("--traceback",), 1)):
        done = process("summary", str(tmp_path / "bad.json"), *more)
        assert done.returncode == 2
        assert done.stderr.count("Traceback") == traces
        assert done.stderr.splitlines()[-1].startswith("beak summary: ")


def test_a_reader_that_leaves_is_no_error():
    command = f"{sys.executable} -m beak networks --json | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith('{"name"')
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_the_output_is_one_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "beak", "networks", "--json"],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=60,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == f"beak networks: {os.strerror(errno.ENOSPC).lower()}; make room\n"


def test_numbers_for_people_are_short_and_tell_nearly_all_from_all():
    shares = (0.0, 1e-6, 0.0004, 0.001, 0.5, 0.999, 0.9994, 0.99999, 1.0)
    assert [percent(share) for share in shares] == [
        "0.0 %", "< 0.01 %", "0.04 %", "0.1 %", "50.0 %", "99.9 %", "99.94 %", "> 99.99 %",
        "100.0 %",
    ]  # fmt: skip
    assert [duration(s) for s in (0.4, 59.6, 75, 3725)] == ["0:00", "1:00", "1:15", "1:02:05"]
    assert how_many(1, "picture") == "1 picture"
    assert how_many(1797, "picture") == "1,797 pictures"
    assert how_many(2, "entry") == "2 entries"
