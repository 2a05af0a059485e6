from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from beak.errors import ShapeError
from beak.network.layers import Dense, Flatten
from beak.network.network import Network
from beak.train.estimator import CNNClassifier


@parametrize_with_checks([CNNClassifier(epochs=40, threads=1), CNNClassifier(network="linear")])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_it_does_what_scikit_learn_wants_of_an_estimator(estimator, check):
    check(estimator)


def test_rows_and_pictures_give_the_same_network_and_answers(make_strokes):
    pictures, labels = make_strokes(60, classes=3)
    rows = pictures.reshape(60, -1)
    a = CNNClassifier((1, 8, 8), epochs=4, random_state=0, threads=1).fit(rows, labels)
    b = CNNClassifier(epochs=4, random_state=0, threads=1).fit(pictures, labels)
    assert a.shape_ == b.shape_ == (1, 8, 8)
    assert a.network_ == b.network_
    assert np.array_equal(a.predict_proba(rows), b.predict_proba(pictures))
    assert a.mean_.shape == (1, 1, 1)
    plain = CNNClassifier(epochs=1, threads=1).fit(rows, labels)
    assert plain.shape_ == (1, 1, 64)
    assert plain.mean_.shape == (1, 1, 64)


def test_it_learns_strokes_and_names_its_classes(make_strokes):
    pictures, labels = make_strokes(240, classes=3)
    words = np.array(["upright", "lying", "slanted"])[labels]
    fitted = CNNClassifier(epochs=25, random_state=1, threads=1).fit(pictures[:180], words[:180])
    assert fitted.score(pictures[180:], words[180:]) >= 0.95
    assert fitted.classes_.tolist() == ["lying", "slanted", "upright"]
    assert len(fitted.loss_curve_) == 25
    assert fitted.loss_curve_[-1] < 0.5 * fitted.loss_curve_[0]


def test_scaling_the_values_changes_nothing_that_one_would_see(make_strokes):
    pictures, labels = make_strokes(60)
    a = CNNClassifier(epochs=5, random_state=0, threads=1).fit(pictures, labels)
    b = CNNClassifier(epochs=5, random_state=0, threads=1).fit(pictures * 1e3 - 5e4, labels)
    assert np.allclose(a.predict_proba(pictures), b.predict_proba(pictures * 1e3 - 5e4), atol=1e-3)


def test_cross_validation_grid_search_and_pipelines_work(make_strokes):
    pictures, labels = make_strokes(90)
    rows = pictures.reshape(90, -1)
    estimator = CNNClassifier((1, 8, 8), epochs=12, random_state=0, threads=1)
    assert cross_val_score(estimator, rows, labels, cv=3).mean() >= 0.9
    search = GridSearchCV(estimator, {"network": ["linear", "dense"], "epochs": [1, 8]}, cv=2)
    search.fit(rows, labels)
    assert search.best_params_["epochs"] == 8
    piped = make_pipeline(MinMaxScaler(), clone(estimator)).fit(rows, labels)
    assert piped.score(rows, labels) >= 0.9


def test_a_pickle_is_plain_arrays_and_answers_the_same(make_strokes):
    pictures, labels = make_strokes(40)
    fitted = CNNClassifier(epochs=2, random_state=0, threads=1).fit(pictures, labels)
    back = pickle.loads(pickle.dumps(fitted))
    assert "Engine" not in str(sorted(vars(back).items()))
    assert np.array_equal(back.predict_proba(pictures), fitted.predict_proba(pictures))


def test_one_random_state_gives_the_same_bytes(make_strokes):
    pictures, labels = make_strokes(40)

    def fitted(state):
        made = CNNClassifier(epochs=2, random_state=state, threads=1).fit(pictures, labels)
        return {name: value.tobytes() for name, value in made.parameters_.items()}

    assert fitted(3) == fitted(3) != fitted(4)
    assert fitted(np.random.RandomState(3)) == fitted(np.random.RandomState(3))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"input_shape": (1, 8, 9)}, "takes 72 values an example but X has 64"),
        ({"input_shape": (8, 8)}, "give (channels, height, width)"),
        ({"network": Network((64,), [Dense(2, activation="softmax")])}, "from (1, 1, 64) to (2,)"),
        ({"network": Network((1, 1, 64), [Flatten(), Dense(3, activation="softmax")])},
         "from (1, 1, 64) to (2,)"),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit_are_told(make_strokes, options, said):
    pictures, labels = make_strokes(40)
    with pytest.raises(ShapeError) as caught:
        CNNClassifier(**options).fit(pictures.reshape(40, -1), labels)
    assert said in str(caught.value)


def test_without_scikit_learn_the_extra_is_named():
    code = (
        "import sys; sys.modules['sklearn.base'] = None\n"
        "try:\n    import beak.train.estimator\n"
        "except ImportError as error:\n    print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "beak[sklearn]"' in said.stdout
