"""`beak summary` and `beak networks`: the lecture's numbers, the formats for programs."""

from __future__ import annotations

import json

import pytest

from beak.cli.group import run
from beak.network.catalogue import CATALOGUE, make_network


def answer(capsys, *typed: str) -> str:
    assert run(typed) == 0
    return capsys.readouterr().out


def test_the_lectures_network_layer_by_layer(capsys):
    said = answer(capsys, "summary", "lecture")
    rows = {line.split()[0]: line for line in said.splitlines() if line.strip()}
    assert "25 x 26 x 26" in rows["conv1"]
    assert "13,266,500 (53,066x)" in rows["conv1"]
    assert "25,567,300 (2,263x)" in rows["conv2"]
    assert "10 x 10" in rows["pool2"]
    assert "125,100" in rows["dense1"]
    assert "137,660 parameters, 1,639,350 multiply-adds" in said


def test_the_summary_for_programs(capsys):
    told = json.loads(answer(capsys, "summary", "lecture", "--json"))
    assert told["input"] == [1, 28, 28]
    assert (told["parameters"], told["multiply_adds"]) == (137_660, 1_639_350)
    first = told["layers"][0]
    assert {**first, "kind": "Conv2D"} == {
        "name": "conv1",
        "kind": "Conv2D",
        "output": [25, 26, 26],
        "parameters": 250,
        "multiply_adds": 152_100,
        "receptive_field": [3, 3],
        "dense_parameters": 13_266_500,
    }


def test_a_network_by_name_takes_input_and_classes(capsys):
    told = json.loads(
        answer(capsys, "summary", "resnet8", "--input", "3,32,32", "--classes", "7", "--json")
    )
    assert told["input"] == [3, 32, 32]
    assert told["layers"][-1]["output"] == [7]


def test_a_network_from_a_file_is_the_same_as_by_name(capsys, tmp_path):
    path = tmp_path / "net.json"
    path.write_text(json.dumps(make_network("lenet5", (1, 28, 28), 10).to_json()))
    by_file = answer(capsys, "summary", str(path), "--json")
    assert by_file == answer(capsys, "summary", "lenet5", "--json")


def test_the_catalogue_for_people_and_programs(capsys):
    said = answer(capsys, "networks")
    records = [json.loads(line) for line in answer(capsys, "networks", "--json").splitlines()]
    assert [record["name"] for record in records] == list(CATALOGUE)
    for name in CATALOGUE:
        assert f"\n{name} " in "\n" + said
    sizes = {record["name"]: record["parameters"] for record in records}
    assert sizes["lecture"] == 137_660


def test_a_network_that_does_not_fit_is_listed_as_such(capsys):
    said = answer(capsys, "networks", "--input", "1,4,4")
    assert "does not fit" in next(line for line in said.splitlines() if line.startswith("lecture "))


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("lectur", "'lectur' is neither a run, a JSON file nor a network's name; did you mean 'le"),
        ("lecture --input 28x28x1x", "--input '28x28x1x': wanted channels,height,width such as"),
        ("lecture --input 0,28,28", "--input '0,28,28': wanted channels,height,width"),
        ("missing.json", "missing.json"),
    ],
)
def test_what_cannot_be_summarised_is_answered_in_one_line(typed, line, capsys):
    assert run(["summary", *typed.split()]) == 2
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1
