"""Names and labels from strangers cannot steer a terminal or break a line."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from beak.cli.console import plain
from beak.cli.predict import files_of
from beak.errors import UsageError


def test_plain_keeps_letters_and_shows_control_characters():
    assert plain("späß 图 <b>") == "späß 图 <b>"
    assert plain("a\x1b[2J\r\nb\x9bc\t") == "a?[2J??b?c?"
    assert plain(os.fsdecode(b"\xe9t\xe9")) == "?t?"


def test_a_folder_is_asked_for_pictures_only(tmp_path):
    for name in ("a.png", "._a.png", "__MACOSX/a.png", ".hidden/a.jpg", "b.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    assert [name for name, _ in files_of((str(tmp_path),))] == [str(tmp_path / "a.png")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_of_the_shell_is_read(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["sh", "-c", f"printf picture > '{pipe}'"]):
        ((name, raw),) = files_of((str(pipe),))
    assert (name, raw) == (str(pipe), b"picture")


def test_nothing_on_standard_input_is_told():
    import click

    @click.command()
    def ask():
        with pytest.raises(UsageError, match="nothing came on standard input"):
            list(files_of(("-",)))

    assert CliRunner().invoke(ask, input=b"", catch_exceptions=False).exit_code == 0


def test_a_terminal_without_our_letters_gets_others(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "beak", "train", str(tmp_path / "späß")],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "sp??: not there" in done.stderr
