"""Phases, the five likeliest, and the mean over the symmetries of a board."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beak.data.go_spec import MOVES, GoSpec
from beak.data.load import load_dataset
from beak.data.picture_spec import PictureSpec
from beak.ops.go_board.symmetry import turn_planes, turned_points
from beak.runs.apart import averaged_of, mean_over_views, strata_of
from beak.runs.evaluate import evaluate
from beak.runs.likely import log_softmax, rank_of_truth
from tests.data.go_games import folder_of_games


@pytest.fixture
def games(tmp_path, monkeypatch):
    monkeypatch.setenv("BEAK_CACHE", str(tmp_path / "cache"))
    return load_dataset(folder_of_games(tmp_path / "games", games=8, moves=60))


class Equivariant:
    """Answers that turn with the board: where own stones stand, and a little by the edge."""

    def logits(self, planes):
        return (3 * planes[:, 0] + planes[:, 2] + planes[:, 1] * 0.5).reshape(len(planes), 361)


class Fixed:
    """The same answer to every board."""

    def __init__(self):
        self.answer = np.random.default_rng(0).normal(size=361)

    def logits(self, planes):
        return np.tile(self.answer, (len(planes), 1))


def test_the_mean_over_symmetries_changes_nothing_that_turns_with_the_board(games):
    rows, spec = games.parts["train"].inputs[:9], GoSpec.of("alphago-4")
    single = np.exp(log_softmax(Equivariant().logits(spec.prepare(rows))))
    np.testing.assert_allclose(mean_over_views(Equivariant(), rows, spec, 361), single, rtol=1e-12)


def test_the_mean_over_symmetries_brings_each_answer_back_to_its_point(games):
    engine, spec = Fixed(), GoSpec.of("board")
    shares = np.exp(log_softmax(engine.answer[None]))[0]
    expected = np.mean(
        [shares[turned_points(19, s)[:361]] for s in range(8)], axis=0
    )  # the answer at p under s stands where s takes p
    found = mean_over_views(engine, games.parts["train"].inputs[:2], spec, 361)
    np.testing.assert_allclose(found[1], expected, rtol=1e-12)
    board = expected.reshape(19, 19)
    for s in range(8):
        np.testing.assert_allclose(turn_planes(board, s), board, rtol=1e-12)


@given(
    rows=st.lists(st.lists(st.integers(-3, 3), min_size=6, max_size=6), min_size=1, max_size=9),
    seed=st.integers(0, 99),
)
def test_ranks_are_as_a_stable_sort_says(rows, seed):
    likely = np.array(rows, float)
    truth = np.random.default_rng(seed).integers(0, 6, len(rows))
    ranks = rank_of_truth(likely, truth)
    for row, label, rank in zip(likely, truth, ranks, strict=True):
        assert np.argsort(-row, kind="stable").tolist().index(label) == rank


def test_an_answer_that_is_no_number_is_behind_all_others():
    assert rank_of_truth(np.array([[np.nan, 1.0, 2.0]]), np.array([0]))[0] == 3


def test_evaluating_games_counts_phases_the_five_likeliest_and_symmetries(games):
    part = games.parts["train"]
    found = evaluate(Equivariant(), part, GoSpec.of("alphago-4"), MOVES, averaged=True)
    logits = Equivariant().logits(GoSpec.of("alphago-4").prepare(part.inputs[:]))
    order = np.argsort(-logits, axis=1, kind="stable")
    five = (order[:, :5] == part.labels[:, None]).any(axis=1)
    assert found.accuracy == (order[:, 0] == part.labels).mean()
    assert found.top5 == five.mean()
    numbers = np.array([int(name.rsplit(" ", 1)[1]) for name in part.names])
    assert [s.examples for s in found.strata] == [(numbers <= 50).sum(), (numbers > 50).sum(),
                                                  0, 0, 0]  # fmt: skip
    assert found.strata[0].top5 == five[numbers <= 50].mean()
    assert found.strata[2].accuracy is None
    assert found.averaged.views == 8
    told = found.to_json()
    assert "confusion" not in told
    assert told["top5"] == found.top5
    assert len(told["strata"]) == 5


def test_what_has_one_view_is_not_averaged():
    spec = PictureSpec("pictures", (1, 4, 4))
    assert averaged_of(Fixed(), None, spec, np.zeros(0, np.int64), 8, 10) is None


def test_strata_share_out_the_examples():
    found = strata_of(
        ("a", "b"), np.array([0, 1, 1]), np.array([True, False, True]), np.array([True, True, True])
    )
    assert [(s.name, s.examples, s.accuracy, s.top5) for s in found] == [
        ("a", 1, 1.0, 1.0), ("b", 2, 0.5, 1.0),
    ]  # fmt: skip
