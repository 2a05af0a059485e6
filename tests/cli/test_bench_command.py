"""`beak bench` and `beak summary --plan`: what they count, and what they answer wrong calls."""

from __future__ import annotations

import json

import pytest

from beak.cli.bench import layers_table, rates_table, torch_rates
from beak.cli.console import make_console
from beak.cli.group import run
from beak.cli.plan import quantity
from beak.engine.measure import LayerTime, Speed
from beak.network.catalogue import make_network


def answer(capsys, *typed: str) -> str:
    assert run(typed) == 0
    return capsys.readouterr().out


@pytest.fixture
def without_torch(monkeypatch):
    """A bench that must do without PyTorch, as the core does."""
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "torch" else found(name)
    )


def test_the_bench_for_programs_counts_every_layer(capsys, without_torch):
    typed = "bench lecture --batch 4 --threads 1 --seconds 0.05 --json"
    said = json.loads(answer(capsys, *typed.split()))
    assert (said["batch"], said["threads"]) == (4, 1)
    for way, flops in (("train", 9_531_900), ("forward", 3_278_700)):
        one = said[way]
        rate, share = one["examples_per_second"], one["share_of_peak"]
        assert rate > 0
        assert share == pytest.approx(rate * flops / said["peak"])
        assert sum(layer["operations"] for layer in one["layers"]) == 4 * flops
        assert one["torch"] is None
    names = [layer["layer"] for layer in said["train"]["layers"]]
    assert names == ["conv1 + pool1", "conv2 + pool2", "dense1", "dense2", "loss", "update"]


def test_the_bench_for_people_names_the_layers_and_the_missing_peer(capsys, without_torch):
    said = answer(
        capsys, *["bench", "linear", "--batch", "2", "--threads", "1", "--seconds", "0.02"]
    )
    assert "dense1" in said
    assert "PyTorch is not installed" in said


SPEED = Speed(
    rate=2000.0, operations=1000,
    layers=(LayerTime("conv1", 3e-6, 5e-6, 4000), LayerTime("loss", 0.0, 2e-6, 0)),
)  # fmt: skip
PEAK = 4e9


def printed(capsys, table) -> list[list[str]]:
    make_console().print(table)
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def test_the_rates_stand_beside_pytorchs(capsys):
    peers = {"train": {"rate": 500.0, "setting": "eager"}}
    rows = printed(capsys, rates_table({"train": SPEED, "forward": SPEED}, peers, PEAK))
    assert rows[1:] == [
        ["training", "2,000", "0.05", "%", "500", "4.0"],
        ["answers", "2,000", "0.05", "%"],
    ]


def test_each_layers_time_is_a_share_of_the_whole_step(capsys):
    rows = printed(capsys, layers_table({"train": SPEED}, PEAK))
    assert rows[2:] == [
        ["conv1", "3", "5", "80.0", "%", "12", "%"],
        ["loss", "2", "20.0", "%"],
    ]


def test_pytorchs_rate_is_that_of_the_quicker_setting(monkeypatch):
    pytest.importorskip("torch")
    steps = [("slow", 0.5), ("quick", 0.125), ("middling", 0.25)]
    monkeypatch.setattr("beak.engine.torch_bench.torch_steps", lambda *_, **__: steps)
    monkeypatch.setattr("beak.engine.measure.seconds_a_step", lambda step, _: step)
    found = torch_rates(make_network("linear", (1, 2, 2), 2), 4, 1, 1.0)
    assert found["train"] == {"rate": 32.0, "setting": "quick"}


def test_more_threads_than_cores_are_cut_with_a_line(capsys, monkeypatch, without_torch):
    from beak.ops import kernel

    monkeypatch.setattr(kernel, "default_threads", lambda: 2)
    typed = ["bench", "linear", "--batch", "2", "--seconds", "0.02", "--json", "--threads"]
    assert run([*typed, "5000"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["threads"] == 2
    assert said.err == "note: --threads 5000: there are 2 cores here, so 2 compute\n"
    assert json.loads(answer(capsys, *typed, "1"))["threads"] == 1


def test_exact_leaves_out_the_kernels_that_save_terms(capsys):
    typed = ["summary", "resnet8", "--input", "3,32,32", "--plan", "--json"]
    for more in ([], ["--training"]):
        kernels = [
            {
                json.loads(line)["kernel"]
                for line in answer(capsys, *typed, *more, *exact).split("\n")
                if line
            }
            for exact in ([], ["--exact"])
        ]
        assert any("winograd" in kernel for kernel in kernels[0])
        assert not any("winograd" in kernel or "fold" in kernel for kernel in kernels[1])
    assert run(["summary", "resnet8", "--exact"]) == 2


def test_pytorch_runs_beside_at_its_better_layout():
    pytest.importorskip("torch")
    found = torch_rates(make_network("lenet5", (1, 12, 12), 3), 2, 1, 0.02)
    assert set(found) == {"train", "forward"}
    assert all(one["rate"] > 0 for one in found.values())
    assert found["train"]["setting"].startswith("eager channels_")


def test_the_plan_tells_kernels_sizes_bytes_and_operations(capsys):
    said = answer(capsys, "summary", "lecture", "--plan", "--batch", "2", "--json")
    rows = [json.loads(line) for line in said.splitlines()]
    first = next(row for row in rows if row["way"] == "forward")
    assert first["layer"] == "conv1 + pool1"
    assert first["kernel"].startswith("pooled_")
    assert (first["sizes"]["images"], first["sizes"]["in_h"]) == (2, 28)
    assert first["operations"] == 2 * 2 * 152_100
    read, written = 2 * 28 * 28, 2 * 13 * 13 * 25
    assert first["bytes"] >= 4 * (read + written)
    assert sum(row["operations"] for row in rows) == 2 * 3_278_700


def test_the_plan_of_a_training_step_ends_with_the_update(capsys):
    said = answer(capsys, "summary", "lecture", "--plan", "--training")
    lines = [line.split()[0] for line in said.splitlines() if line.strip()]
    assert lines.index("[forward]") < lines.index("[backward]") < lines.index("[update]")
    assert "adam" in said


def test_the_plans_last_line_has_the_totals(capsys):
    rows = answer(capsys, "summary", "lecture", "--plan", "--batch", "2", "--json").splitlines()
    moved = sum(json.loads(row)["bytes"] for row in rows)
    said = answer(capsys, "summary", "lecture", "--plan", "--batch", "2")
    last = said.splitlines()[-1]
    assert last.startswith(f"{len(rows)} calls for 2 examples with ")
    assert last.endswith(f": {quantity(moved)}B named, 6.56 MFLOP as dense work")
    forward = next(line for line in said.splitlines() if line.startswith("conv1 + pool1"))
    assert " images=2 " in forward
    assert "=1 " not in forward


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("summary lecture --batch 4", "--batch, --training and --exact go with --plan"),
        ("bench lectur", "did you mean 'lecture'"),
        ("bench lecture --batch 0", "--batch"),
    ],
)
def test_wrong_calls_are_answered_in_one_line(typed, line, capsys):
    assert run(typed.split()) == 2
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1


def test_quantities_are_short():
    assert [quantity(n) for n in (0, 999, 1234, 5.6e9)] == ["0", "999", "1.23 K", "5.6 G"]
