"""Texts as numbers: what is known comes from the training part alone, padding says nothing."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.data import text_fit, text_spec, words
from beak.data.kinds import kind_of, read_spec
from beak.data.load import load_dataset
from beak.data.split import PARTS
from beak.data.text_spec import TextSpec
from beak.data.words import LONGEST_WORD, words_of
from beak.errors import DataError, MissingExtraError

SPEC = TextSpec("texts", (6,), "words", True, 0, ("good", "film", "bad"))
PAIRS = TextSpec("texts", (18,), "pairs", True, 64, ("good", "film", "bad"))
BYTES = TextSpec("texts", (8,), "bytes")


def write(folder, name, rows):
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(f'"{text}",{label}\n' for text, label in rows)
    (folder / name).write_text("text,label\n" + lines, encoding="utf-8")


def rows(count, words=("fine", "dull"), start=0):
    return [(f"{words[i % 2]} thing number {i}", "ab"[i % 2]) for i in range(start, start + count)]


def given_parts(folder, train=None, validation=None, test=None):
    write(folder, "train.csv", train or rows(40))
    write(folder, "val.csv", validation or rows(10, start=50))
    write(folder, "test.csv", test or rows(10, start=70))
    return folder


def test_words_of_languages():
    assert words_of("Don't STOP, it's 3,5 €!") == [
        "do", "n't", "stop", ",", "it", "'s", "3,5", "€", "!",
    ]  # fmt: skip
    assert words_of("हिन्दी العَرَبِيَّة 日本語", lower=False) == ["हिन्दी", "العَرَبِيَّة", "日", "本", "語"]
    assert words_of("x" * 500) == ["x" * LONGEST_WORD]
    assert words_of(" \t\n") == []


def test_without_the_library_for_words_the_extra_is_named(monkeypatch):
    words._pattern.cache_clear()
    monkeypatch.setitem(sys.modules, "regex", None)
    with pytest.raises(MissingExtraError, match=r'reading texts needs an extra: .*"beak\[text\]"'):
        words_of("a film")
    monkeypatch.undo()
    assert words_of("a film") == ["a", "film"]


@settings(deadline=None)
@given(st.text(max_size=60))
def test_words_leave_nothing_out_but_spaces(text):
    joined = "".join(words_of(text, lower=False))
    assert joined == "".join(text.split()) or any(c.isspace() for c in joined)


def test_rows_of_a_text():
    assert SPEC.row("A good FILM.").tolist() == [1, 2, 3, 1, 0, 0]
    assert SPEC.row(["Good", "film"]).tolist() == [2, 3, 0, 0, 0, 0]
    assert SPEC.row("bad " * 9).tolist() == [4] * 6
    assert BYTES.row("aé").tolist() == [98, 0xC3 + 1, 0xA9 + 1, 0, 0, 0, 0, 0]
    np.testing.assert_array_equal(SPEC.prepare(SPEC.row("bad")[None]), [[4, 0, 0, 0, 0, 0]])
    with pytest.raises(DataError, match="made for 6 words"):
        SPEC.prepare(np.zeros((2, 7), np.int32))


def test_words_and_pairs_count_once_and_unknown_ones_never():
    row = PAIRS.prepare(PAIRS.row("good film good film odd bad")[None])[0]
    assert row[:6].tolist() == [2, 3, 2, 3, 1, 4]
    grams = row[6:][row[6:] > 0]
    assert len(set(grams.tolist())) == len(grams)
    assert sorted(grams[grams < PAIRS.numbers - 1].tolist()) == [1, 2, 3]
    assert (grams >= PAIRS.numbers - 1).sum() == 2  # good film, film good; odd is in none
    assert grams.max() < PAIRS.numbers + PAIRS.buckets - 1


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(0, 9))
def test_padding_adds_no_words_and_no_pairs(numbers, more):
    wide = TextSpec("texts", (3 * (6 + more),), "pairs", True, 64, PAIRS.words)
    found = [
        sorted(spec.prepare(row(numbers, spec.length))[0, spec.length :].tolist(), reverse=True)
        for spec in (PAIRS, wide)
    ]
    assert found[0] == found[1][: len(found[0])]
    assert not any(found[1][len(found[0]) :])


def row(numbers, length):
    made = np.zeros((1, length), np.int32)
    made[0, : len(numbers)] = numbers
    return made


def test_json_there_and_back_and_what_is_refused():
    for spec in (SPEC, PAIRS, BYTES):
        assert read_spec(spec.to_json()) == spec
    bad = (
        ({"unit": "word"}, "no unit 'word'; did you mean 'words'"),
        ({"shape": [0]}, "the shape"),
        ({"shape": [6, 1]}, "the shape"),
        ({"buckets": 3}, "buckets for words"),
        ({"words": ["a", "a"]}, "a word is there twice"),
        ({"words": [1]}, "words must be texts"),
        ({"lower": 1}, "lower is true or false"),
    )
    for change, said in bad:
        with pytest.raises(DataError, match=said):
            read_spec({**SPEC.to_json(), **change})


def test_one_raw_text_as_prediction_gets_it(tmp_path):
    kind = kind_of("texts")
    (tmp_path / "a.txt").write_text("good film", encoding="utf-8")
    for raw in ("good film", b"good film", ["good", "film"], tmp_path / "a.txt"):
        stored, notes = kind.load_raw(raw, SPEC, "text")
        assert stored.tolist() == [2, 3, 0, 0, 0, 0]
        assert notes == ()
    told = kind.load_raw("many odd words come with good " * 2, SPEC, "text")[1]
    assert told == (
        "only the first 6 of its 12 words are read",
        "only 1 of its 6 words were seen in training",
    )
    assert "none of its words" in kind.load_raw("zzz", SPEC, "text")[1][0]
    for raw, said in (("  ", "an empty text"), (3, "int came; a text")):
        with pytest.raises(DataError, match=said):
            kind.load_raw(raw, SPEC, "text")


def test_the_vocabulary_and_length_come_from_the_training_part_alone(tmp_path):
    long = [(f"unheard and very much longer text of words {i}", "a") for i in range(70, 80)]
    source = given_parts(tmp_path, test=[*long, ("dull b", "b")])
    dataset = load_dataset(source)
    assert dataset.kind == "texts"
    assert "unheard" not in dataset.spec.words
    assert dataset.spec.length == 4
    assert dataset.spec.words[:3] == ("number", "thing", "dull")  # the most frequent first
    stored = dataset.parts["test"].inputs[:]
    assert stored.shape == (11, 4)
    assert (stored[0] == 1).all()


def test_each_fold_has_a_vocabulary_of_its_own(tmp_path):
    write(tmp_path, "all.csv", rows(60))
    dataset = load_dataset(tmp_path / "all.csv")
    folds = dataset.folds(5)
    for fold in folds:
        heard = {
            word
            for i in fold.parts["train"].inputs.index.tolist()
            for word in words_of(fold.parts["train"].inputs.base.source.texts[i])
        }
        assert set(fold.spec.words) == heard
        tested = fold.parts["test"].inputs[:]
        numbers = {w: i for i, w in enumerate(fold.spec.words, 2)}
        first = fold.parts["test"].inputs
        words = words_of(first.base.source.texts[int(first.index[0])])
        assert tested[0, : len(words)].tolist() == [numbers.get(w, 1) for w in words]
    assert len({fold.spec.words for fold in folds}) > 1


def test_folds_are_the_same_each_time_and_copies_lie_together(tmp_path):
    copies = [("The SAME  text", "a"), ("the same text", "a")] * 4
    write(tmp_path, "all.csv", [*rows(40), *copies])
    first, again = (load_dataset(tmp_path / "all.csv").folds(4) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        assert a.fingerprint == b.fingerprint
        for part in PARTS:
            np.testing.assert_array_equal(a.parts[part].inputs.index, b.parts[part].inputs.index)
        where = [
            part
            for part in PARTS
            for i in a.parts[part].inputs.index.tolist()
            if "same" in a.parts[part].inputs.base.source.texts[i].lower()
        ]
        assert len(set(where)) == 1


def test_a_text_of_the_training_part_that_is_tested_too_is_left_out_of_training(tmp_path):
    """As SST's trees: 1,100 of the 1,101 development sentences are in the published train file."""
    source = given_parts(tmp_path, train=[*rows(40), *rows(8, start=70)])
    dataset = load_dataset(source)
    assert len(dataset.parts["train"]) == 40
    told = next(f for f in dataset.report.warnings if "held out" in f.text)
    assert told.line().startswith("8 examples are also in a part that is held out from them")


def test_a_label_of_the_test_part_alone_is_told_with_its_row(tmp_path):
    source = given_parts(tmp_path, test=[*rows(9, start=70), ("what is this", "c")])
    dataset = load_dataset(source)
    assert dataset.labels == ("a", "b")
    lines = [f.line() for f in dataset.report.warnings]
    assert "left out, the label 'c' is only in the test part (1): test.csv:11" in lines
    with pytest.raises(DataError, match=r"only in the test part .*\(strict\)"):
        load_dataset(source, strict=True)


def test_options_and_a_trained_networks_spec(tmp_path):
    write(tmp_path, "all.csv", rows(60))
    dataset = load_dataset(tmp_path / "all.csv", words=3, length=2, unit="words", lower=False)
    assert dataset.spec.shape == (2,)
    assert len(dataset.spec.words) == 3
    write(tmp_path, "more.csv", [("fine new thing", "b"), ("dull", "b")])
    other = load_dataset(tmp_path / "more.csv", spec=dataset.spec, labels=dataset.labels)
    assert other.spec == dataset.spec
    known = {w: i for i, w in enumerate(dataset.spec.words, 2)}
    rows_ = np.concatenate([np.asarray(other.parts[p].inputs[:]) for p in PARTS])
    wanted = [[known.get(w, 1) for w in ("fine", "new")], [known.get("dull", 1), 0]]
    assert sorted(rows_.tolist()) == sorted(wanted)


def test_words_are_dropped_the_same_way_in_any_batch(tmp_path):
    from beak.data.augment import Augmentation

    write(tmp_path, "all.csv", rows(60))
    dataset = load_dataset(tmp_path / "all.csv", unit="words")
    kind, part = kind_of("texts"), dataset.parts["train"]
    how = {"seed": 1, "epoch": 2, "augmentation": Augmentation(drop_words=0.5)}
    whole = kind.augmented(part.inputs, np.arange(20), dataset.spec, **how)
    alone = kind.augmented(part.inputs, np.array([7]), dataset.spec, **how)
    np.testing.assert_array_equal(whole[7:8], alone)
    plain = dataset.spec.prepare(part.inputs[np.arange(20)])
    changed = whole != plain
    assert 0.3 < changed[plain > 1].mean() < 0.7
    assert (whole[changed] == 1).all()


def test_the_examples_in_the_docstrings_hold():
    import doctest

    assert all(doctest.testmod(m).failed == 0 for m in (words, text_spec, text_fit))
