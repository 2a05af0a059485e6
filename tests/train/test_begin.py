"""Fine-tuning: a training that begins with another run's layers."""

from __future__ import annotations

import numpy as np
import pytest

import beak
from beak.cli.group import run as command
from beak.errors import NetworkError, UsageError
from beak.network.catalogue import make_network
from beak.train.begin import with_head
from beak.train.train import resume, train

KINDS = ("dots", "columns", "rows", "corners")


def pictures(count, kinds, seed):
    """Noisy pictures of 12x12 of so many of four kinds."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 120, (count, 1, 12, 12)).astype(np.uint8)
    y = rng.integers(0, len(kinds), count)
    for i, number in enumerate(y):
        a, b = rng.integers(1, 10, 2)
        window = {
            "dots": (slice(a, a + 2), slice(b, b + 2)), "columns": (slice(None), a),
            "rows": (a, slice(None)), "corners": (slice(0, 4), slice(0, 4)),
        }[kinds[number]]  # fmt: skip
        x[i, 0][window] += 130
    return x, np.array(kinds)[y]


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A run that tells columns, rows and corners apart."""
    out = tmp_path_factory.mktemp("first") / "run"
    data = pictures(300, KINDS[1:], 1)
    return train(
        data, network="lenet5", out=out, epochs=12, batch=16, listen=None, baseline=False, threads=1
    )


def begun(first, out, listen=None, **more):
    settings = {"epochs": 2, "batch": 8, "baseline": False, "threads": 1, **more}
    return train(pictures(60, KINDS[:2], 2), start=first.path, out=out, listen=listen, **settings)


def right(run):
    """The share of other pictures that a run names right."""
    x, y = pictures(200, KINDS[:2], 3)
    return np.mean([found.label == label for found, label in zip(run.predict(x), y, strict=True)])


def test_few_examples_learn_more_with_anothers_layers(first, tmp_path):
    told = []
    tuned = begun(first, tmp_path / "tuned", told.append)
    alone = train(
        pictures(60, KINDS[:2], 2), network="lenet5", out=tmp_path / "alone", epochs=2, batch=8,
        listen=None, baseline=False, threads=1,
    )  # fmt: skip
    assert right(tuned) > right(alone) + 0.1
    notes = [event["text"] for event in told if event["event"] == "note"]
    assert any("begins with the layers of run; its new last layer alone" in n for n in notes)
    assert tuned.labels == ("columns", "dots")
    assert tuned.spec == first.spec
    assert tuned.network.nodes[-1].name == "head"


def test_it_begins_with_the_layers_themselves_and_moves_them_slowly(first, tmp_path):
    still = begun(first, tmp_path / "still", set={"optimiser.learning_rate": 0.0})
    for name, value in first.model.parameters.items():
        if name in still.model.parameters:
            found = still.model.parameters[
                name
            ]  # an average of what does not move, but for rounding
            np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-6)
    assert "learning_rate = 0.0" in still.recipe
    moved = begun(first, tmp_path / "moved")
    assert (moved.model.parameters["conv1.weight"] != first.model.parameters["conv1.weight"]).any()


def test_its_recipe_makes_it_again_and_a_stopped_one_goes_on(first, tmp_path):
    whole = begun(first, tmp_path / "whole")
    recipe = tmp_path / "whole" / "recipe.toml"
    again = train(
        pictures(60, KINDS[:2], 2), recipe=recipe, out=tmp_path / "again", listen=None, threads=1
    )

    def stop(event):
        if event["event"] == "epoch":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begun(first, tmp_path / "stopped", stop)
    on = resume(tmp_path / "stopped", source=pictures(60, KINDS[:2], 2), listen=None, threads=1)
    for name, value in whole.model.parameters.items():
        np.testing.assert_array_equal(again.model.parameters[name], value)
        np.testing.assert_array_equal(on.model.parameters[name], value)


def test_what_cannot_be_begun_with_is_said(first, tmp_path, capsys):
    with pytest.raises(UsageError, match="leave out --network"):
        begun(first, tmp_path / "a", network="lecture")
    with pytest.raises(NetworkError, match="does not end in a Dense layer"):
        with_head(make_network("allconv", (3, 32, 32), 4), 2)
    assert with_head(make_network("resnet8", (3, 32, 32), 4), 9).output == (9,)
    x, y = pictures(60, KINDS[:2], 2)
    np.savez(tmp_path / "few.npz", X=x, y=np.unique(y, return_inverse=True)[1])
    typed = ["train", str(tmp_path / "few.npz"), "--from", str(first.path), "--epochs", "1"]
    assert command([*typed, "--no-baseline", "--out", str(tmp_path / "run")]) == 0
    assert "the layers of run, with a last layer for 2 labels" in capsys.readouterr().out
    assert beak.load(tmp_path / "run").network.output == (2,)
    assert command(["train", str(tmp_path / "few.npz"), "--from", str(tmp_path / "none")]) == 2
