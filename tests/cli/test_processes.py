"""`beak train --processes`: what ends it, what it says, what it leaves running: nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from beak.cli import launcher as launching
from beak.cli.door import PLACE
from beak.cli.launcher import Launcher
from beak.errors import RunError, UsageError
from tests.train.test_together import children, wait_for, workers_of

KNOCK = "import os, sys, time; from beak.cli.door import Door; door = Door({rank}); door.listen()\n"
IN_PROC = pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="reads /proc")


def launched(tmp_path, program, rank=0):
    """What a launcher returns whose torchrun is a program of one process."""
    words = [sys.executable, "-c", KNOCK.format(rank=rank) + program]
    return Launcher(tmp_path).run(words, {**os.environ, PLACE: str(tmp_path)})


def signal_later(number, check, seconds=0.0):
    def send():
        wait_for(check, 30)
        time.sleep(seconds)
        os.kill(os.getpid(), number)

    threading.Thread(target=send, daemon=True).start()


def test_the_first_process_says_what_went_wrong_and_libraries_stay_quiet(tmp_path, capfd):
    program = "os.write(2, b'gloo: lost'); print('beak train: no room', file=sys.stderr)\n"
    assert launched(tmp_path, program + "door.ended(2); time.sleep(.5)") == 2
    assert capfd.readouterr().err == "beak train: no room\n"


@pytest.mark.parametrize(("code", "kind"), [(1, RunError), (2, UsageError)])
def test_what_another_process_met_alone_is_said_by_the_command(tmp_path, monkeypatch, code, kind):
    monkeypatch.setattr(launching, "FIRST_SAYS", 0.3)
    with pytest.raises(kind, match="^process 1: no room$"):
        launched(tmp_path, f"door.failed('process 1: no room', {code}); door.wait()", rank=1)


def test_the_first_may_still_say_itself_what_another_met(tmp_path, capfd):
    both = "other = Door(1); other.failed('not this', 1); time.sleep(.5); door.ended(1)"
    assert launched(tmp_path, both) == 1
    assert capfd.readouterr().err == ""


def test_when_torchrun_fails_its_own_words_are_shown(tmp_path, capfd):
    with pytest.raises(RunError, match="^a process was lost in each of 1 starts;.*stand above$"):
        launched(tmp_path, "os.write(2, b'no such port'); sys.exit(3)")
    assert capfd.readouterr().err == "no such port\n"
    (tmp_path / "door").unlink()
    (tmp_path / "run").write_text("runs/my photos")
    with pytest.raises(RunError, match="go on with: beak train --resume 'runs/my photos'$"):
        launched(tmp_path, "sys.exit(3)")
    (tmp_path / "door").unlink()
    with pytest.raises(RunError, match="^torchrun could not start the processes"):
        launched(tmp_path, "sys.exit(3)", rank=-1)


def test_a_signal_is_passed_on_and_one_that_came_before_is_told_at_the_door(tmp_path):
    come = tmp_path / "come"
    heard = f"open({str(come)!r}, 'w').close()\nwhile not door.asked: time.sleep(.01)\n"
    late = "late = Door(1); door.ended(10 * door.asked + late.asked)"
    ours = "import signal; signal.signal(signal.SIGTERM, lambda *_: None)\n"
    signal_later(signal.SIGTERM, come.exists)
    assert launched(tmp_path, ours + heard + late) == 11 * signal.SIGTERM


@pytest.mark.parametrize("training", [True, False])
def test_a_process_that_trains_hears_the_signal_itself_another_one_ends(tmp_path, training):
    come = tmp_path / "come"
    program = f"import signal; told = []; come = open({str(come)!r}, 'w').close()\n"
    if training:
        program += "signal.signal(signal.SIGTERM, lambda number, _: told.append(number))\n"
    program += (
        "try:\n while not told: time.sleep(.01)\n door.ended(told[0])\n"
        "except KeyboardInterrupt: door.ended(77)"
    )
    signal_later(signal.SIGTERM, come.exists, 0.3)
    assert launched(tmp_path, program) == (signal.SIGTERM if training else 77)


def test_what_hears_no_signal_is_ended_all_the_same(tmp_path, monkeypatch):
    """Before the first has come at once; after a second signal whatever it does."""
    signal_later(signal.SIGINT, (tmp_path / "door").exists, 0.2)
    began = time.monotonic()
    with pytest.raises(RunError, match="^stopped before the training began$"):
        launched(tmp_path, "time.sleep(60)", rank=1)
    (tmp_path / "door").unlink()
    (tmp_path / "run").write_text("runs/a")
    come = tmp_path / "come"
    deaf = "import signal; signal.signal(signal.SIGTERM, lambda *_: None)\n"
    signal_later(signal.SIGINT, come.exists, 0.2)
    signal_later(signal.SIGTERM, come.exists, 0.8)
    with pytest.raises(RunError, match="^stopped; go on with: beak train --resume runs/a$"):
        launched(tmp_path, deaf + f"open({str(come)!r}, 'w'); signal.signal(2, lambda *_: None)\n"
                 "time.sleep(60)")  # fmt: skip
    assert time.monotonic() - began < 20


def test_signals_that_are_ignored_stay_ignored(tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        signal_later(signal.SIGINT, (tmp_path / "door").exists, 0.1)
        assert launched(tmp_path, "time.sleep(1); door.ended(0)") == 0
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


# --- the command itself, with torchrun ---


@pytest.fixture(scope="module")
def data_file(tmp_path_factory):
    rng = np.random.default_rng(0)
    y = np.arange(400) % 2
    x = rng.integers(0, 90, (400, 1, 8, 8)) + 100 * y[:, None, None, None]
    path = tmp_path_factory.mktemp("data") / "data.npz"
    np.savez(path, X=x.astype(np.uint8), y=y)
    return path


def started(source, *more, cwd=None):
    words = [sys.executable, "-m", "beak", "train", str(source), "--network", "dense"]
    words += ["--no-baseline", "--epochs", "100000", "--processes", "2", *more]
    return subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=cwd
    )


def tree(process):
    """A process and all that came from it."""
    return [process, *(each for child in children(process) for each in tree(child))]


def nothing_is_left(processes):
    return not any(Path(f"/proc/{each}/cmdline").exists() for each in processes)


@IN_PROC
@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "moment"),
    [(signal.SIGTERM, "torchrun starts"), (signal.SIGINT, "workers start"),
     (signal.SIGTERM, "workers import")],
)  # fmt: skip
def test_a_signal_while_processes_start_is_a_normal_stop(data_file, tmp_path, number, moment):
    pytest.importorskip("torch")
    process = started(data_file, "--out", str(tmp_path / "run"))
    wait_for(lambda: children(process.pid))
    if moment != "torchrun starts":
        wait_for(lambda: len(workers_of(process.pid)) == 2)
    if moment == "workers import":
        time.sleep(1)
    all_of_them = tree(process.pid)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert said == "beak train: stopped before the training began\n"
    assert process.returncode == 1
    wait_for(lambda: nothing_is_left(all_of_them), 10)


@IN_PROC
@pytest.mark.slow
def test_a_killed_command_leaves_nothing_running(data_file, tmp_path):
    pytest.importorskip("torch")
    run = tmp_path / "run"
    process = started(data_file, "--out", str(run))
    wait_for(lambda: (run / "history.jsonl").exists())
    all_of_them = tree(process.pid)
    assert len(all_of_them) == 4
    process.kill()
    process.wait()
    wait_for(lambda: nothing_is_left(all_of_them), 10)
    process.stderr.close()


@IN_PROC
@pytest.mark.slow
def test_an_error_is_one_line(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "empty").mkdir()
    process = started("empty", cwd=tmp_path)
    said = process.communicate(timeout=120)[1]
    assert len(said.splitlines()) == 1, said
    assert said.startswith("beak train: ")
    assert process.returncode == 1
