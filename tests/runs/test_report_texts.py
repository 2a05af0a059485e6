"""Texts in the report: which words moved an answer, and the text as it was written."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from beak.data.text_spec import TextSpec
from beak.engine.make import make_engine
from beak.network.initial import initial_parameters
from beak.network.named import make_network
from beak.runs import report_texts
from beak.runs.evaluate import log_softmax
from beak.runs.report_texts import MOST_WORDS, marked, word_weights

WORDS = TextSpec("texts", (6,), "words", True, 0, ("good", "film", "dull"))
BYTES = TextSpec("texts", (40,), "bytes")


def engine_of(spec):
    name = "characters" if spec.unit == "bytes" else "sentence"
    options = {} if spec.unit == "bytes" else {"words": spec.numbers}
    network = make_network(name, spec.shape, 2, dimensions=4, filters=4, **options)
    parameters = initial_parameters(network, 1)
    for key in parameters:
        if key.endswith("bias"):
            parameters[key] += np.float32(0.1)
    return make_engine(network, parameters)


@pytest.mark.parametrize("spec", [WORDS, BYTES], ids=["words", "bytes"])
def test_a_words_weight_is_what_the_answer_loses_without_it(spec):
    engine = engine_of(spec)
    found = word_weights(engine, spec, "A good film", 1)
    assert [word for word, _ in found] == ["A", "good", "film"]

    def likely(text):
        return log_softmax(engine.logits(spec.prepare(spec.row(text)[None])))[0, 1]

    without = "A      film" if spec.unit == "bytes" else "A zzzz film"
    assert found[1][1] == pytest.approx(likely("A good film") - likely(without), abs=1e-5)
    assert found[1][1] != 0


def test_words_that_are_not_read_move_nothing():
    found = word_weights(engine_of(WORDS), WORDS, "good film " * 5, 0)
    assert len(found) == 10
    assert not any(weight for _, weight in found[6:])


def test_a_text_is_shown_as_it_was_written_and_nothing_in_it_is_html():
    weights = [("Do", 0.0), ("n't", 1.0), ("<b>", -0.5), ("!", 0.0)]
    html = marked(weights, "Don't <b>!")
    assert html.startswith("<bdi>Do</bdi><mark")
    assert 'class="for"' in html
    assert 'class="against"' in html
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert html.count(" <mark") == 1


def test_a_text_that_is_cut_ends_in_dots():
    many = [("word", 0.0)] * MOST_WORDS
    assert marked(many, "word " * MOST_WORDS).endswith("word</bdi>")
    assert marked(many, "word " * MOST_WORDS + "and more").endswith(" …")


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(report_texts).failed == 0
