"""The model card: what was measured and nothing else, and a person's words stay."""

from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.cli.group import run as beak
from beak.runs.card import (
    BEGIN,
    END,
    CardData,
    Figure,
    add_figure,
    card_text,
    is_ours,
    named,
    plain,
    remove_card,
    write_card,
)

TEST = {"accuracy": 0.875, "interval": [0.8, 0.925], "examples": 40}


@pytest.fixture
def data(model):
    info = {**model.info, "name": "animals", "network": "lecture", "test": TEST,
            "baseline": {"name": "linear", "accuracy": 0.5}}  # fmt: skip
    made = dataclasses.replace(model, info=info)
    return CardData(made, "photos", {"train": 320, "validation": 40, "test": 40}, "mit")


def rows_of(text: str) -> list[str]:
    table = text[text.index(BEGIN) : text.index(END)]
    return [line for line in table.splitlines() if line.startswith("| ")][1:]


def test_a_card_holds_the_measured_figures(data):
    text = card_text(data)
    assert rows_of(text) == ["| photos | test | 87.50 % | 80.00 to 92.50 % | 40 |"]
    assert "A simple classifier beside (linear), on the same examples: 50.00 %." in text
    assert "photos: 320 to learn from, 40 for validation, 40 to test." in text
    assert "cat, dog, bird" in text


def test_without_a_test_it_says_that_nothing_was_measured(model):
    text = card_text(CardData(model, "photos", {"train": 3}))
    assert "Nothing was measured" in text
    assert rows_of(text) == []
    assert " % " not in text
    assert "None was given." in text
    assert 'license: "unknown"' in text


def test_folds_are_told_as_such(data):
    test = {"accuracy": 0.75, "folds": [0.7, 0.8]}
    model = dataclasses.replace(data.model, info={**data.model.info, "test": test})
    text = card_text(dataclasses.replace(data, model=model))
    assert rows_of(text) == []
    assert "2 folds: mean accuracy 75.00 % (70.00, 80.00)" in text
    assert "have no test of their own" in text


def test_the_front_matter_is_yaml_as_the_hub_reads_it(data):
    yaml = pytest.importorskip("yaml", reason="needs the extra hub")
    front = yaml.safe_load(card_text(data).split("---\n")[1])
    assert front["license"] == "mit"
    assert front["pipeline_tag"] == "image-classification"
    (result,) = front["model-index"][0]["results"]
    assert result["task"] == {"type": "image-classification"}
    assert result["dataset"] == {"name": "photos", "type": "photos", "split": "test"}
    assert result["metrics"] == [{"type": "accuracy", "value": 0.875}]


def test_a_new_figure_is_a_row_and_an_old_one_is_replaced(data, tmp_path):
    yaml = pytest.importorskip("yaml", reason="needs the extra hub")
    write_card(tmp_path, data)
    path = tmp_path / "README.md"
    mine = path.read_text().replace("## Data", "My own words: 12 | 13 % \n\n## Data")
    path.write_text(mine)
    assert add_figure(tmp_path, data.model, Figure("more", "all", 0.5, (0.4, 0.6), 1234))
    assert add_figure(tmp_path, data.model, Figure("photos", "test", 0.9, (0.8, 0.95), 40))
    text = path.read_text()
    assert rows_of(text) == [
        "| photos | test | 90.00 % | 80.00 to 95.00 % | 40 |",
        "| more | all | 50.00 % | 40.00 to 60.00 % | 1,234 |",
    ]
    front = yaml.safe_load(text.split("---\n")[1])
    values = [r["metrics"][0]["value"] for r in front["model-index"][0]["results"]]
    assert values == [0.9, 0.5]
    cut = re.compile(rf"(?s){BEGIN}.*{END}|model-index:\n.*?(?=---)")
    assert cut.sub("", text) == cut.sub("", mine)


def test_a_persons_own_page_stays(data, tmp_path):
    path = tmp_path / "README.md"
    for content in (b"# Mine\n", b"\xff\xfe no text", b"x" * (5 << 20)):
        path.write_bytes(content)
        write_card(tmp_path, data)
        remove_card(tmp_path)
        assert not add_figure(tmp_path, data.model, Figure("a", "test", 0.5, (0.4, 0.6), 9))
        assert path.read_bytes() == content
    path.unlink()
    assert not add_figure(tmp_path, data.model, Figure("a", "test", 0.5, (0.4, 0.6), 9))
    write_card(tmp_path, data)
    assert is_ours(path)
    remove_card(tmp_path)
    assert not path.exists()


@given(st.lists(st.tuples(st.text(max_size=12), st.sampled_from(["test", "all"])), max_size=6))
@settings(max_examples=60, deadline=None)
def test_names_from_strangers_make_one_row_each(small_model, tmp_path_factory, names):
    folder, model = tmp_path_factory.mktemp("card"), small_model()
    write_card(folder, CardData(model, "photos", {"train": 3}))
    for _ in range(2):  # the second time every row is found again
        for name, part in names:
            assert add_figure(folder, model, Figure(name, part, 0.5, (0.25, 0.75), 8))
    text = (folder / "README.md").read_text()
    places = {Figure(name, part, 0.5, (0.25, 0.75), 8).place for name, part in names}
    assert len(rows_of(text)) == len(places)
    assert text.count(BEGIN) == text.count(END) == 1


def test_names_are_shown_letter_by_letter():
    assert plain("[x](http://a) <b>") == r"\[x\](http://a) \<b\>"
    assert named("data/photos/") == "photos"
    assert named(["arrays"]) == "data"


def test_evaluate_brings_the_card_up_to_date(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BEAK_CACHE", str(tmp_path / "cache"))
    more = ["--set", "licence=mit", "--no-baseline", "--json"]
    assert beak(["train", "digits", "--out", "run", "--epochs", "1", "--network", "linear",
                 *more]) == 0  # fmt: skip
    before = (tmp_path / "run" / "README.md").read_text()
    assert len(rows_of(before)) == 1
    assert 'license: "mit"' in before
    capsys.readouterr()
    assert beak(["evaluate", "run", "digits"]) == 0
    assert "run/README.md has this figure" in capsys.readouterr().err
    assert (tmp_path / "run" / "README.md").read_text() == before
    assert beak(["evaluate", "run", "digits", "--part", "all", "--json"]) == 0
    after = rows_of((tmp_path / "run" / "README.md").read_text())
    assert after[0] == rows_of(before)[0]
    assert after[1].startswith("| digits | all | ")
