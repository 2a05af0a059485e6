from __future__ import annotations

import doctest
import json

import numpy as np
import pytest
from PIL import Image

from beak.engine.reference import ReferenceEngine
from beak.errors import BeakError, DataError, RunError
from beak.runs import predictor as predictor_file
from beak.runs.predictor import Predictor


@pytest.fixture
def predictor(model) -> Predictor:
    return Predictor(model, engine="reference")


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for k in range(7):
        Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(tmp_path / f"{k}.png")
    (tmp_path / "3.png").write_bytes(b"no picture")
    (tmp_path / "5.png").write_bytes(b"")
    return tmp_path


def test_the_examples_in_the_docstrings_are_true():
    result = doctest.testmod(predictor_file)
    assert result.attempted > 0
    assert result.failed == 0


def test_the_answer_is_the_networks_softmax_best_first(predictor, model, folder):
    found = predictor.predict(folder / "0.png")
    pixels = np.asarray(Image.open(folder / "0.png"))[None, None]
    wanted = ReferenceEngine(model.network, model.parameters).forward(model.spec.prepare(pixels))[0]
    for k, label in enumerate(model.labels):
        assert found.probabilities[label] == pytest.approx(wanted[k], abs=1e-6)
    shares = list(found.probabilities.values())
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=1e-12)
    assert found.label == model.labels[wanted.argmax()] == next(iter(found.probabilities))
    assert found.input == str(folder / "0.png")


def test_path_bytes_array_and_picture_have_one_answer(predictor, folder):
    path = folder / "1.png"
    forms = [path, str(path), path.read_bytes(), np.asarray(Image.open(path)), Image.open(path)]
    answers = [predictor.predict(form).probabilities for form in forms]
    assert all(answer == answers[0] for answer in answers)


def test_a_folder_with_bad_pictures_goes_on(predictor, folder):
    paths = [*sorted(folder.iterdir()), folder / "gone.png", folder]
    found = list(predictor.predict_many(iter(paths), batch=3))
    assert [raw for raw, _ in found] == paths
    bad = {raw.name for raw, answer in found if isinstance(answer, BeakError)}
    assert bad == {"3.png", "5.png", "gone.png", folder.name}
    for raw, answer in found:
        if isinstance(answer, BeakError):
            assert isinstance(answer, DataError)
            assert raw.name in str(answer)
            assert "\n" not in str(answer)
        else:
            assert answer.probabilities == pytest.approx(predictor.predict(raw).probabilities)


def test_nothing_to_predict_gives_nothing(predictor):
    assert list(predictor.predict_many([])) == []


def test_inputs_are_taken_as_they_come_not_all_at_once(predictor, folder):
    asked = []

    def endless():
        while True:
            asked.append(1)
            yield folder / "0.png"

    answers = predictor.predict_many(endless(), batch=2)
    next(answers)
    assert len(asked) == 2


def test_a_bad_input_alone_is_an_error(predictor, folder):
    with pytest.raises(DataError, match=r"3\.png"):
        predictor.predict(folder / "3.png")
    with pytest.raises(DataError):
        predictor.predict(object())


def test_what_is_done_to_a_picture_is_said(predictor, tmp_path):
    Image.new("RGB", (30, 20), (200, 30, 30)).save(tmp_path / "red.png")
    found = predictor.predict(tmp_path / "red.png")
    assert any("grey network" in note for note in found.notes)
    assert found.to_json()["notes"] == list(found.notes)


def test_the_json_is_what_the_command_prints(predictor, folder):
    found = predictor.predict(folder / "2.png")
    assert list(found.to_json()) == ["input", "label", "probabilities"]
    assert list(found.to_json(top=1)["probabilities"]) == [found.label]
    assert json.loads(json.dumps(found.to_json())) == found.to_json()


def test_weights_of_nan_answer_in_one_clear_line(model, folder):
    model.parameters["conv1.weight"][:] = np.nan
    ((_, answer),) = Predictor(model, engine="reference").predict_many([folder / "0.png"])
    assert isinstance(answer, RunError)
    assert "answers NaN" in str(answer)


def test_equal_answers_keep_the_order_of_the_labels(model, folder):
    for value in model.parameters.values():
        value[...] = 0
    found = Predictor(model, engine="reference").predict(folder / "0.png")
    assert tuple(found.probabilities) == model.labels
    assert list(found.probabilities.values()) == pytest.approx([1 / 3] * 3)
