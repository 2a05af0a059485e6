"""What the places of a text are called, and numbers by place as numbers by word."""

from __future__ import annotations

import numpy as np
import pytest

from beak.data.text_spec import TextSpec

pytest.importorskip("regex")
WORDS = ("a", "film", "fine", "not")
PLAIN = TextSpec("texts", (6,), words=WORDS)
PAIRS = TextSpec("texts", (18,), "pairs", True, 64, WORDS)


def test_words_are_called_as_they_stand_in_the_text():
    text = "A Fine odd film"
    assert PLAIN.place_names(PLAIN.row(text), text) == ("A", "Fine", "odd", "film")
    assert PLAIN.place_names(PLAIN.row(text)) == ("a", "fine", "(unknown)", "film")
    assert PLAIN.place_names(PLAIN.row(["fine", "film"]), ["fine", "film"]) == ("fine", "film")


def test_a_longer_text_has_names_for_what_is_read():
    text = "a film a film a film a film"
    assert PLAIN.place_names(PLAIN.row(text), text) == ("a", "film") * 3


def test_bytes_are_called_by_their_letters():
    spec = TextSpec("texts", (5,), "bytes")
    assert spec.place_names(spec.row("a b")) == ("a", " ", "b")


def test_pairs_count_half_for_each_of_their_words():
    row = PAIRS.row("a fine film")
    numbers = PAIRS.prepare(row[None])[0]
    heat = np.where(numbers > 0, np.arange(1.0, 19), 0).astype(np.float32)
    found = PAIRS.by_name(heat, row)
    assert found.shape == (6,)
    assert found.sum() == pytest.approx(heat.sum())
    own, votes, pairs = heat[:6], heat[6:12], heat[12:]
    assert found[0] == own[0] + votes[0] + pairs[0] / 2
    assert found[1] == own[1] + votes[1] + (pairs[0] + pairs[1]) / 2
    assert not found[3:].any()


def test_words_alone_stay_as_they_are():
    heat = np.arange(6.0)
    assert PLAIN.by_name(heat, PLAIN.row("a film")) is heat
