"""From game records to a trained run: what is told, kept, resumed and shown."""

import json
import re

import numpy as np
import pytest

from beak.data.load import load_dataset
from beak.data.streams import shuffled
from beak.errors import DataError, RecipeError
from beak.network.layers import Activation, Flatten
from beak.network.named import make_network
from beak.network.network import Network
from beak.network.windows import Conv2D
from beak.train.baseline import baseline_epochs
from beak.train.fit import StoppedError
from beak.train.recipe import Recipe
from beak.train.train import resume, train
from tests.data.go_games import folder_of_games, random_sgf

SMALL = "go-small width=4 blocks=1"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BEAK_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def games(tmp_path):
    return folder_of_games(tmp_path / "games", games=20, moves=30)


def trained(games, out, events=None, **options):
    settings = {"data.planes": "alphago-4", "sample": 128, **options.pop("set", {})}
    how = {"network": SMALL, "epochs": 1, "set": settings, "listen": None, **options}
    if events is not None:
        how["listen"] = events.append
    return train(games, out=out, **how)


def test_a_training_on_games_ends_in_a_run_that_predicts_and_is_evaluated(games, tmp_path):
    events = []
    run = trained(games, tmp_path / "run", events, baseline=True)
    told = {event["event"]: event for event in events}
    assert told["data"]["kind"] == "go"
    assert len(told["data"]["labels"]) == 361
    done = told["done"]["test"]
    assert 0 <= done["accuracy"] <= done["top5"] <= 1
    assert done["averaged"]["views"] == 8
    assert told["done"]["baseline"]["name"] == "linear"
    assert run.spec.planes == "alphago-4"
    record = tmp_path / "a.sgf"
    record.write_text(random_sgf(5, 40))
    answer = run.predict((record, 12))
    assert len(answer.probabilities) == 361
    assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-5)
    found = run.evaluate(games)
    assert found.examples == told["data"]["examples"]["test"]
    assert found.accuracy == done["accuracy"]
    assert found.averaged.accuracy == done["averaged"]["accuracy"]


def test_the_report_shows_phases_points_and_boards_and_stays_small(games, tmp_path):
    run = trained(games, tmp_path / "run", baseline=False)
    page = (run.path / "report.html").read_text()
    assert "moves 1 to 50" in page
    assert "mean of 8 symmetries" in page
    assert page.count('<svg viewBox="0 0 20 20"') >= 2
    assert "confusion" not in page
    assert "positions answered right" in page
    assert len(page) < 400_000
    assert not re.search(r"<(script|link)|https?://", page)


def test_a_recipe_makes_the_same_run_again_and_a_stopped_one_goes_on_exactly(games, tmp_path):
    first = trained(games, tmp_path / "first", epochs=2, baseline=False)
    again = train(recipe=first.path / "recipe.toml", out=tmp_path / "again", listen=None)
    steps = []

    def stop_soon(event):
        steps.append(event)
        if sum(e["event"] == "epoch" for e in steps) == 1:
            raise KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, StoppedError)):
        trained(games, tmp_path / "stopped", epochs=2, baseline=False, listen=stop_soon)
    resumed = resume(tmp_path / "stopped", listen=None)
    for other in (again, resumed):
        for name, values in first.model.parameters.items():
            np.testing.assert_array_equal(other.model.parameters[name], values, name)


def test_an_epoch_draws_other_positions_each_time(games, tmp_path):
    assert Recipe(sample=128).drawn(500) == 128
    assert Recipe(sample=128).drawn(100) == 100
    assert Recipe().drawn(500) == 500
    assert set(shuffled(0, 1, 500)[:128]) != set(shuffled(0, 2, 500)[:128])
    events = []
    trained(games, tmp_path / "run", events, baseline=False)
    steps = [event for event in events if event["event"] == "step"]
    assert steps[-1]["steps"] == 128 // 16 or steps[-1]["steps"] >= 1


def test_the_linear_baseline_takes_a_small_share_of_a_sampled_training(games):
    dataset = load_dataset(games)
    network, linear = (make_network(n, (48, 19, 19), 361) for n in ("go-small", "linear"))
    sampled, whole = Recipe(epochs=100, sample=64), Recipe(epochs=100)
    assert baseline_epochs(dataset, network, linear, sampled) == 3
    assert baseline_epochs(dataset, network, linear, whole) > 3


def test_passes_give_go_small_a_pass(tmp_path):
    folder = tmp_path / "games"
    folder.mkdir()
    for i in range(12):
        (folder / f"{i}.sgf").write_text(random_sgf(i, 20).replace(")", ";B[];W[tt])"))
    run = trained(folder, tmp_path / "run", baseline=False, set={"data.passes": True})
    assert run.labels[-1] == "pass"
    assert run.network.output == (362,)
    assert run.evaluate(folder).examples > 0


def test_the_dense_network_is_trained_beside_on_the_same_positions(games, tmp_path):
    events = []
    trained(games, tmp_path / "run", events, baseline=False, compare="go-dense hidden=8")
    (compared,) = [event for event in events if event["event"] == "compare"]
    assert compared["name"] == "go-dense"
    assert compared["test"]["examples"] > 0


def test_folds_test_every_game_once(games, tmp_path):
    events = []
    trained(games, tmp_path / "run", events, baseline=False, folds=2)
    folds = [event["test"]["examples"] for event in events if event["event"] == "fold"]
    assert sum(folds) == 20 * 30


def test_early_choices_that_do_not_fit_end_in_one_line(games, tmp_path):
    with pytest.raises(RecipeError, match=r"data.size is for pictures, not go"):
        trained(games, tmp_path / "a", set={"data.size": (9, 9)})
    with pytest.raises(RecipeError, match=r"data.planes = 'alphago-13': unknown; did you mean"):
        trained(games, tmp_path / "b", set={"data.planes": "alphago-13"})
    with pytest.raises(DataError, match="no pictures in folders below it"):
        trained(games, tmp_path / "c", kind="pictures")
    with pytest.raises(DataError, match="no game is left"):
        trained(games, tmp_path / "d", set={"data.min_moves": 31})


def test_a_network_of_ones_own_says_which_planes_it_reads(games, tmp_path):
    layers = [Conv2D(1, 3, padding=1), Flatten(), Activation("softmax")]
    run = trained(games, tmp_path / "own", baseline=False, set={"data.planes": "alphago"},
                  network=Network((12, 19, 19), layers))  # fmt: skip
    assert run.spec.planes == "alphago-12"
    with pytest.raises(DataError, match="reads 7 planes; positions of Go have 1, 4, 12, 20, 48"):
        trained(games, tmp_path / "odd", set={"data.planes": "alphago"},
                network=Network((7, 19, 19), layers))  # fmt: skip


def test_a_run_on_games_refuses_pictures(games, tmp_path):
    run = trained(games, tmp_path / "run", baseline=False)
    (tmp_path / "p" / "a").mkdir(parents=True)
    with pytest.raises(DataError, match=r"p: no .sgf file in it"):
        run.evaluate(tmp_path / "p")
    assert json.loads(json.dumps(run.evaluate(games).to_json()))["top5"] >= 0
