"""Training on texts: nothing of a test part leaks, the baseline is the strong one, words in files."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from beak.data.load import load_dataset
from beak.data.vectors import dimensions_of, read_vectors
from beak.errors import BeakError, DataError, UsageError
from beak.runs.model import load_model
from beak.runs.predictor import Predictor
from beak.train.baseline import better_baseline
from beak.train.prepare import prepare
from beak.train.text_baseline import nbsvm
from beak.train.train import train
from beak.train.words import RATIO_SCALE, log_count_ratios, start_of

GOOD, BAD = ("fine", "moving", "bright"), ("dull", "tedious", "flat")
FILLING = ("a", "film", "the", "plot", "actor", "scene", "of", "and")


def sentences(count, seed):
    """Texts whose label is said by one word, and by "not" before one of the other side."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        label = i % 2
        turned = rng.random() < 0.3
        word = (GOOD, BAD)[label ^ turned][rng.integers(3)]
        core = ["not", word] if turned else [word]
        words = [*rng.choice(FILLING, rng.integers(2, 7)), *core, *rng.choice(FILLING, 2)]
        yield f"{' '.join(words)} {seed}{i}", ("pos", "neg")[label]


def write(folder, train=160, test=40, test_seed=3):
    folder.mkdir(parents=True, exist_ok=True)
    for name, count, seed in (("train", train, 1), ("val", 40, 2), ("test", test, test_seed)):
        rows = "".join(f"{text},{label}\n" for text, label in sentences(count, seed))
        (folder / f"{name}.csv").write_text("text,label\n" + rows)
    return folder


SMALL = {"network.dimensions": 16, "network.filters": 8, "epochs": 3}


def trained(source, out, **options):
    settings = {**SMALL, **options.pop("set", {})}
    return train(source, out=out, listen=None, set=settings, **options)


@pytest.mark.parametrize("network", ["sentence", "sentence-pairs"])
def test_weights_do_not_depend_on_the_texts_that_are_tested(tmp_path, network):
    """The published code made its vocabulary from training and test texts together."""
    runs = [
        trained(write(tmp_path / f"{seed}", test_seed=seed), tmp_path / f"run{seed}", network=network)
        for seed in (3, 4)
    ]
    first, second = (load_model(run.path) for run in runs)
    assert first.spec == second.spec
    for name, value in first.parameters.items():
        np.testing.assert_array_equal(value, second.parameters[name])


def test_no_training_text_fills_up_a_batch_or_is_validated_on(tmp_path):
    """The published code repeated random training texts before it cut off its development set."""
    from beak.data.batches import batches

    dataset = load_dataset(write(tmp_path), unit="words")
    part = dataset.parts["train"]
    seen = [
        batch.examples
        for batch in batches(part, dataset.spec, None, seed=0, epoch=1, batch_size=50)
    ]
    assert [len(s) for s in seen] == [50, 50, 50, 10]
    assert sorted(np.concatenate(seen).tolist()) == list(range(160))
    hashes = [{h.tobytes() for h in dataset.parts[p].hashes} for p in dataset.parts]
    assert not hashes[0] & hashes[1]
    assert not hashes[0] & hashes[2]


def test_folds_choose_words_and_networks_anew_and_tell_the_baseline(tmp_path):
    events = []
    rows = "".join(f"{text},{label}\n" for text, label in sentences(120, 5))
    (tmp_path / "all.csv").write_text("text,label\n" + rows)
    train(
        tmp_path / "all.csv", out=tmp_path / "run", folds=3, listen=events.append,
        set={**SMALL, "epochs": 2, "early_stopping.patience": 1},
    )  # fmt: skip
    folds = [load_model(tmp_path / "run" / "folds" / str(k)) for k in (1, 2, 3)]
    assert len({model.spec.words for model in folds}) == 3
    for model in folds:
        assert model.network.node("words").layer.words == model.spec.numbers
    done = events[-1]
    assert done["baseline"]["name"] == "NBSVM"
    assert len(done["test"]["folds"]) == 3
    kept = load_model(tmp_path / "run")
    assert {w for model in folds for w in model.spec.words} <= {*kept.spec.words}


def test_the_baseline_learns_pairs_of_words_and_the_network_does(tmp_path):
    source = write(tmp_path / "data", train=600, test=200)
    found = nbsvm(load_dataset(source))
    assert found.examples == 200
    assert found.accuracy > 0.9  # words alone cannot: "not fine" has the words of both sides
    run = trained(source, tmp_path / "run")
    assert run.model.info["test"]["accuracy"] > 0.9
    assert run.model.info["baseline"] == {"name": "NBSVM", "accuracy": found.accuracy}


def test_a_better_baseline_is_said_with_what_would_help():
    said = better_baseline("texts", "NBSVM", 0.7, 0.75)
    assert said.startswith("NBSVM is better than the network by 5.0 points")
    assert "--vectors" in said
    assert better_baseline("texts", "NBSVM", 0.75, 0.75) == ""
    assert better_baseline("texts", "NBSVM", 0.8, 0.75) == ""


def test_votes_start_as_log_count_ratios_of_the_training_part(tmp_path):
    ready = prepare(write(tmp_path), {})
    spec, part = ready.dataset.spec, ready.dataset.parts["train"]
    start = start_of(ready.network, ready.dataset, ready.recipe).parameters
    place = spec.places["fine"] - 1
    ratios = log_count_ratios(spec, part, spec.numbers + spec.buckets, 2)
    np.testing.assert_allclose(start["grams.weight"], RATIO_SCALE * ratios)
    grams = [set(row[row > 0].tolist()) for row in spec.grams(np.asarray(part.inputs[:]))]
    counts = np.zeros((2, 2))
    for row, label in zip(grams, part.labels, strict=True):
        counts[label] += (place in row), len(row)
    kinds = len({gram for row in grams for gram in row})
    shares = [(1 + here) / (kinds + all_) for here, all_ in counts]
    assert ratios[place, 0] == pytest.approx(np.log(shares[0] / shares[1]), rel=1e-4)
    assert ratios[place, 1] == pytest.approx(-ratios[place, 0])


@pytest.mark.parametrize("name", ["sentence", "sentence-wide", "sentence-pairs", "characters"])
def test_every_network_trains_and_answers(tmp_path, name):
    settings = {"epochs": 1, "network.filters": 8, "network.dimensions": 8}
    run = train(
        write(tmp_path / "d", 60, 10), network=name, out=tmp_path / "run", listen=None, set=settings,
        baseline=False,
    )  # fmt: skip
    answer = Predictor(run.model).predict("a fine film")
    assert answer.label in ("pos", "neg")
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    with pytest.raises(BeakError, match="an empty text"):
        Predictor(run.model).predict("  ")


def test_a_stopped_training_of_texts_goes_on_to_the_same_bytes(tmp_path):
    from beak.train.train import resume

    source = write(tmp_path / "d")
    settings = {"augmentation.drop_words": 0.2}
    whole = trained(source, tmp_path / "whole", set=settings, baseline=False)
    count = 0

    def stop(event):
        nonlocal count
        count += event["event"] == "epoch"
        if count == 2:
            raise KeyboardInterrupt

    with pytest.raises(BaseException):  # noqa: B017, PT011
        train(source, out=tmp_path / "half", listen=stop, set={**SMALL, **settings}, baseline=False)
    again = resume(tmp_path / "half", listen=None)
    for key, value in load_model(whole.path).parameters.items():
        np.testing.assert_array_equal(value, load_model(again.path).parameters[key])


# Word vectors.

WORDS = ("fine", "dull", "New York", "zoë")


def vector(i):
    return np.arange(i, i + 5, dtype=np.float32) / 8


def binary():
    rows = b"".join(w.replace(" ", "_").encode() + b" " + vector(i).tobytes() + b"\n"
                    for i, w in enumerate(WORDS))  # fmt: skip
    return b"4 5\n" + rows


def lines(header):
    rows = "".join(f"{w} {' '.join(map(str, vector(i)))}\n" for i, w in enumerate(WORDS))
    return (("4 5\n" if header else "") + rows).encode()


def safetensors():
    table = np.stack([vector(i) for i in range(4)])
    head = {
        "__metadata__": {"words": json.dumps(WORDS)},
        "embeddings": {"dtype": "F32", "shape": [4, 5], "data_offsets": [0, table.nbytes]},
    }
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + table.tobytes()


FILES = {
    "a.bin": binary(), "a.vec": lines(True), "glove.txt": lines(False), "a.safetensors": safetensors(),
}  # fmt: skip


@pytest.mark.parametrize("name", list(FILES))
def test_vectors_of_every_form(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(FILES[name])
    assert dimensions_of(path) == 5
    found = read_vectors(path, {"zoë": 0, "unheard": 1, "fine": 2})
    assert found.found.tolist() == [True, False, True]
    np.testing.assert_allclose(found.values, [vector(3), np.zeros(5), vector(0)])
    if name == "glove.txt":
        assert read_vectors(path, {"New York": 0}).found.all()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"It was late.\nNobody spoke.\n", "no word vectors"),
        (b"\x1f\x8bxx", "packed; unpack it first"),
        (binary()[:40], "cut short: 1 of 4 vectors are there"),
        (b"", "no word vectors"),
    ],
)
def test_a_file_that_holds_no_vectors_is_one_line(tmp_path, content, said):
    path = tmp_path / "v.bin"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_vectors(path, {"zoë": 0})
    with pytest.raises(UsageError, match="there is no such file"):
        dimensions_of(tmp_path / "not there")


def test_broken_lines_of_vectors_are_skipped_and_counted(tmp_path):
    path = tmp_path / "v.txt"
    path.write_text("fine 1 2 3\ndull 1 x 3\nshort 1\nflat nan 2 3\nbright 4 5 6\n")
    found = read_vectors(path, {"fine": 0, "dull": 1, "flat": 2, "bright": 3})
    assert found.found.tolist() == [True, False, False, True]
    assert found.skipped == 2


@pytest.mark.parametrize("channels", ["static", "non-static", "multichannel"])
def test_vectors_start_the_network_and_static_ones_stay(tmp_path, channels):
    path = tmp_path / "v.txt"
    rows = {word: np.random.default_rng(i).normal(size=12) for i, word in enumerate((*GOOD, "dull"))}
    path.write_text("".join(f"{w} {' '.join(map(str, v))}\n" for w, v in rows.items()))
    events = []
    run = train(
        write(tmp_path / "d"), network="sentence", out=tmp_path / "run", listen=events.append,
        set={"epochs": 1, "network.filters": 4, "network.channels": channels,
             "data.vectors": str(path)},
    )  # fmt: skip
    told = next(e["text"] for e in events if e["event"] == "note" and "vectors" in e["text"])
    assert f"4 of {len(run.model.spec.words)} words" in told
    model = run.model
    name = "words_static" if channels == "multichannel" else "words"
    weight = model.parameters[f"{name}.weight"]
    assert weight.shape[1] == 12
    same = np.allclose(weight[model.spec.places["fine"]], rows["fine"], atol=1e-6)
    assert same == (channels != "non-static")


def test_vectors_of_another_size_than_the_network_are_refused(tmp_path):
    (tmp_path / "v.txt").write_text("fine 1 2 3\n")
    values = {"data.vectors": str(tmp_path / "v.txt"), "network.dimensions": 4, "network": "sentence"}
    with pytest.raises(UsageError, match=r"vectors of 3 numbers, the network's have 4; --set"):
        ready = prepare(write(tmp_path / "d"), values)
        start_of(ready.network, ready.dataset, ready.recipe)
