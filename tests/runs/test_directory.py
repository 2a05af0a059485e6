from __future__ import annotations

import doctest
import importlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from beak.errors import RunError, UsageError
from beak.runs.directory import RunDirectory, group
from beak.runs.machine import describe_machine


@pytest.mark.parametrize("module", ["directory", "history", "safe", "charts", "likely"])
def test_the_examples_in_the_docstrings_are_true(module):
    result = doctest.testmod(importlib.import_module(f"beak.runs.{module}"))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.fixture
def run(tmp_path):
    return RunDirectory.create(tmp_path / "deep" / "run")


STATE = {
    "parameters.conv1.weight": np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3),
    "state.step": np.array(12, np.int64),
    "best.conv1.weight": np.full((1, 1, 3, 3), np.nan, np.float32),
}


def test_a_checkpoint_comes_back_to_the_last_bit(run):
    info = {
        "epoch": 3,
        "loss_sum": 0.1 + 0.2,
        "lost": math.nan,
        "tiny": 5e-324,
        "kernels": {"a": "b"},
    }
    run.save_checkpoint(STATE, info)
    arrays, found = run.load_checkpoint()
    assert {k: (v.dtype, v.shape, v.tobytes()) for k, v in arrays.items()} == {
        k: (v.dtype, v.shape, v.tobytes()) for k, v in STATE.items()
    }
    assert math.isnan(found.pop("lost"))
    assert math.isnan(info.pop("lost"))
    assert found == info
    assert group(arrays, "state") == {"step": 12}


def test_a_checkpoint_cut_at_any_place_is_told_and_changes_nothing(run):
    run.save_checkpoint(STATE, {"epoch": 1})
    whole = run.checkpoint_path.read_bytes()
    for size in range(0, len(whole), 7):
        run.checkpoint_path.write_bytes(whole[:size])
        with pytest.raises(RunError, match=r"checkpoint\.safetensors") as told:
            run.load_checkpoint()
        assert "\n" not in str(told.value)


def test_a_checkpoint_of_a_later_format_is_told(run):
    run.save_checkpoint(STATE, {})
    changed = run.checkpoint_path.read_bytes().replace(b'"format":"1"', b'"format":"9"')
    run.checkpoint_path.write_bytes(changed)
    with pytest.raises(RunError, match="is of format 9, this beak goes on from 1"):
        run.load_checkpoint()


def test_without_a_checkpoint_it_is_said_whether_the_run_is_finished(run):
    with pytest.raises(RunError, match="train again"):
        run.load_checkpoint()
    run.model_path.touch()
    assert run.finished
    with pytest.raises(RunError, match="the run is finished"):
        run.load_checkpoint()


def test_a_run_is_finished_only_when_its_checkpoint_is_gone(run):
    assert not run.finished
    run.save_checkpoint(STATE, {})
    run.model_path.touch()
    assert not run.finished
    run.remove_checkpoint()
    assert run.finished


def test_history_grows_by_a_line_and_drops_a_torn_one(run):
    for epoch in (1, 2):
        run.append_history({"epoch": epoch, "loss": np.float32(0.5), "bad": math.inf})
    whole = run.history_path.read_bytes()
    assert whole.count(b"\n") == 2
    for torn in (b'{"epoch": 3', b"\0\0\0\0", b'{"epoch": 3}'):
        run.history_path.write_bytes(whole + torn)
        assert [r["epoch"] for r in run.read_history()] == [1, 2]
        run.append_history({"epoch": 3})
        assert [r["epoch"] for r in run.read_history()] == [1, 2, 3]
        assert run.history_path.read_bytes() == whole + b'{"epoch": 3}\n'
    assert run.read_history()[0] == {"epoch": 1, "loss": 0.5, "bad": None}


def test_history_of_zeros_with_a_line_end_is_torn_too(run):
    run.append_history({"epoch": 1})
    with open(run.history_path, "ab") as file:
        file.write(b"\0" * 100 + b"\n")
    assert run.read_history() == [{"epoch": 1}]


def test_a_long_torn_line_is_cut_off_whole(run):
    run.append_history({"epoch": 1})
    with open(run.history_path, "ab") as file:
        file.write(b"x" * 200_000)
    run.append_history({"epoch": 2})
    assert run.read_history() == [{"epoch": 1}, {"epoch": 2}]


def test_a_broken_line_in_the_middle_is_named(run):
    run.history_path.write_bytes(b'{"epoch": 1}\nnonsense\n{"epoch": 3}\n')
    with pytest.raises(RunError, match=r"history\.jsonl, line 2"):
        run.read_history()


def test_on_resume_history_goes_back_to_what_the_checkpoint_knows(run):
    for epoch in range(1, 6):
        run.append_history({"epoch": epoch, "loss": 0.1 * epoch})
    before = run.history_path.read_bytes()
    assert [r["epoch"] for r in run.cut_history(3)] == [1, 2, 3]
    assert before.startswith(run.history_path.read_bytes())
    assert run.cut_history(99) == run.read_history()


def test_a_second_training_in_one_directory_is_refused(run):
    with run.locked():
        with pytest.raises(RunError, match="another training runs in"), run.locked():
            pass
        code = (
            "import sys; from beak.runs.directory import RunDirectory\n"
            "with RunDirectory(__import__('pathlib').Path(sys.argv[1])).locked(): print('in')"
        )
        command = [sys.executable, "-c", code, str(run.path)]
        other = subprocess.run(command, capture_output=True, text=True)
        assert "another training runs in" in other.stderr
    assert subprocess.run(command, capture_output=True, text=True).stdout == "in\n"
    assert not (run.path / ".lock").exists()


def test_a_killed_training_leaves_no_lock(run):
    code = (
        "import sys, time; from beak.runs.directory import RunDirectory\n"
        "with RunDirectory(__import__('pathlib').Path(sys.argv[1])).locked():\n"
        "    print('in', flush=True); time.sleep(100)"
    )
    command = [sys.executable, "-c", code, str(run.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(RunError), run.locked():
            pass
        other.kill()
        other.wait()
    with run.locked():
        pass


def test_an_earlier_run_is_kept_unless_overwriting_is_asked_for(run):
    run.save_recipe("seed = 1\n")
    (run.path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds a run already; give another place or --overwrite"):
        RunDirectory.create(run.path)
    RunDirectory.create(run.path, overwrite=True)
    assert os.listdir(run.path) == ["notes.txt"]


def test_a_directory_with_other_files_is_not_taken(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UsageError, match=r"is not empty \(thesis.tex\)"):
        RunDirectory.create(tmp_path)
    with pytest.raises(UsageError, match="is a file; give another place"):
        RunDirectory.create(tmp_path / "thesis.tex")


def test_an_unfinished_run_says_how_to_go_on_as_it_can_be_typed(tmp_path):
    path = tmp_path / "a run"
    RunDirectory.create(path).save_checkpoint(STATE, {})
    with pytest.raises(UsageError, match=f"or go on with --resume '{path}'$"):
        RunDirectory.create(path)


def test_a_place_where_nothing_can_be_made_is_told_as_it_is(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="a part of its path is a file; give another place"):
        RunDirectory.create(tmp_path / "file" / "run")
    if not Path("/proc/self").is_dir():
        pytest.skip("no /proc, where nothing can be made")
    for place in ("/proc/nothing", "/proc/nothing/at/all"):
        with pytest.raises(RunError, match="nothing can be made there; give another place"):
            RunDirectory.create(place)


def test_leftovers_of_a_killed_write_go_and_foreign_files_stay(run):
    (run.path / "epochs").mkdir()
    of_an_epoch = run.path / "epochs" / ".epoch-0.safetensors.30374.47818ff9.part"
    leftover = run.path / ".model.safetensors.123.0a1b2c3d.part"
    leftover.touch()
    of_an_epoch.touch()
    run.tidy()
    assert not of_an_epoch.exists()
    assert not leftover.exists()
    leftover.touch()
    (run.path / ".other.part").touch()
    assert RunDirectory.create(run.path, overwrite=True) == run
    assert not leftover.exists()
    assert (run.path / ".other.part").exists()


def test_numbered_directories_never_meet(tmp_path):
    made = [RunDirectory.create_numbered(tmp_path, "my photos/../x") for _ in range(3)]
    assert [run.path.name for run in made] == [
        "my-photos-..-x",
        "my-photos-..-x-2",
        "my-photos-..-x-3",
    ]
    assert RunDirectory.create_numbered(tmp_path, "..").path == tmp_path / "run"


def test_a_wrong_path_names_the_nearest(tmp_path, run):
    with pytest.raises(UsageError, match="is not there; did you mean 'run'"):
        RunDirectory.open(run.path.with_name("rnu"))
    with pytest.raises(RunError, match="holds no run"):
        RunDirectory.open(run.path)
    with pytest.raises(UsageError, match="give a run directory"):
        RunDirectory.open(tmp_path / "a\0b")


def test_recipe_and_machine_come_back(run):
    run.save_recipe("# Größe\nseed = 1\n")
    assert run.read_recipe() == "# Größe\nseed = 1\n"
    assert run.read_machine() == {}
    run.save_machine(threads=2, instructions="v3")
    assert run.read_machine()["instruction_set"] == "v3"
    run.recipe_path.write_bytes(b"\xff\xfe")
    with pytest.raises(RunError, match="is not UTF-8"):
        run.read_recipe()


def test_the_machine_is_described_without_naming_anybody():
    found = describe_machine(threads=2, instructions="v3")
    assert found["cores"] >= 1
    assert found["memory_bytes"] > 1 << 28
    assert {"cpu", "system", "python", "beak", "numpy", "threads"} <= found.keys()
    said = json.dumps(found)
    for secret in (os.uname().nodename, os.path.expanduser("~"), os.getcwd()):
        assert len(secret) < 3 or secret not in said


def test_running_out_of_space_while_adding_history_keeps_the_lines_before(run, monkeypatch):
    run.append_history({"epoch": 1})

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(RunError, match="disk is full"):
        run.append_history({"epoch": 2})
    monkeypatch.undo()
    assert run.read_history() == [{"epoch": 1}]
