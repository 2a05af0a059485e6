"""What the page explains in itself is what the lens explains: numbers, counts and captions."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest

from beak.errors import BeakError
from beak.lens.ask import WHAT
from beak.lens.subject import Look, Subject
from beak.network.summary import summarise
from beak.web.alone import computed, engine_script
from tests.lens import conftest as helpers
from tests.web.browser import CHROMIUM, chromium

pytest.importorskip("playwright.sync_api", reason="needs the extra dev")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")

LABELS = ("ant", "bee", "cat", "dog")
METHODS = ("integrated", "gradient", "cam", "occlusion")

ASKED = """({run, input, words, questions}) => {
  const engine = new beakEngine.Engine(run);
  const values = words ? Int32Array.from(input) : Float32Array.from(input);
  const plain = value => ArrayBuffer.isView(value) ? Array.from(value, Number)
    : typeof value === 'number' && !Number.isFinite(value) ? String(value)
    : Array.isArray(value) ? value.map(plain)
    : value && typeof value === 'object'
      ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)])) : value;
  return questions.map(question => {
    const seen = {mark: 'own', values, places: []};
    try { return plain(engine.answer({...question, seen})); }
    catch (error) { return {error: error.message}; }
  });
}"""


def cells(network, count):
    """Some places of every node, drawn, and what they are called in the address."""
    random = np.random.default_rng(8)
    for node in network.nodes:
        for _ in range(count):
            index = tuple(int(random.integers(n)) for n in node.output)
            yield node.name, index, ",".join(map(str, index))


def questions(network):
    """The same questions for the page and for the lens."""
    for name, index, words in cells(network, 3):
        yield {"question": "cell", "layer": name, "cell": words}, "arithmetic", {"cell": index}
    for node in network.nodes:
        if node.parameters:
            yield {"question": "filters", "layer": node.name}, "filters", {}
        if node.layer.kind in ("Conv1D", "Conv2D", "Dense"):
            yield {"question": "twin", "layer": node.name}, "twin", {}
            last = math.prod(node.output)
            some = {"rows": (last // 2, last), "columns": (1, 3)}
            told = {name: f"{a},{b}" for name, (a, b) in some.items()}
            yield {"question": "twin", "layer": node.name, **told}, "twin", some
    for method in METHODS:
        yield {"question": "moved", "method": method, "answer": "bee"}, "moved", {}
    yield {"question": "forgives"}, "forgives", {}


@pytest.fixture(scope="module")
def page():
    with chromium() as browser:
        page = browser.new_page()
        page.evaluate(engine_script())
        yield page


def lens(look, question, what, more):
    """The lens's explanation, or its error."""
    options = {k: v for k, v in question.items() if k != "question"} | more
    subject = look.subject
    given = look if WHAT[what].needs == "input" else None
    try:
        return WHAT[what].answer(subject, given, options)
    except BeakError as error:
        return str(error)


def run_of(network, parameters, labels):
    layers = [row.to_json() for row in summarise(network).rows]
    about = {"labels": list(labels), "multiply_adds": 0, "name": "it", "layers": layers}
    words = network.nodes[0].layer.kind == "Embedding"
    spec = {"kind": "texts" if words else "pictures", "unit": "words"}
    return {**computed(network, parameters), "network": {**about, "bounds": None}, "spec": spec}


NEAR = {"moved": 2e-3}  # integrated gradients double their steps at a gap that rounding can tip


@pytest.mark.parametrize("name", helpers.NETWORKS)
def test_every_explanation_is_the_lenss(page, name):
    network = helpers.NETWORKS[name]
    parameters, inputs = helpers.parameters_of(network), helpers.input_of(network)
    labels = LABELS if network.output == (4,) else tuple(map(str, range(81)))
    look = Look.at(Subject(network, parameters, labels), inputs)
    asked = list(questions(network))
    if "bee" not in labels:
        asked = [({**q, "answer": "7"} if "answer" in q else q, w, m) for q, w, m in asked]
    found = page.evaluate(
        ASKED,
        {
            "run": json.loads(json.dumps(run_of(network, parameters, labels), default=float)),
            "input": inputs.ravel().tolist(),
            "words": inputs.dtype.kind == "i",
            "questions": [question for question, _, _ in asked],
        },
    )
    for told, (question, what, more) in zip(found, asked, strict=True):
        wanted = lens(look, question, what, more)
        if isinstance(wanted, str):
            assert told.get("error") == wanted, question
            continue
        assert "error" not in told, (question, told)
        assert_same(told, wanted, question, NEAR.get(what, 1e-4))


def assert_same(told, wanted, where, near):
    plain = wanted.to_json()
    assert told["what"] == plain["what"]
    assert told["arrays"].keys() == wanted.arrays.keys(), where
    for name, array in wanted.arrays.items():
        own = told["arrays"][name]
        assert tuple(own["shape"]) == array.shape, (where, name)
        values = np.reshape(own["values"], array.shape).astype(np.float64)
        scale = max(
            1e-3, np.abs(array, where=np.isfinite(array), out=np.zeros(array.shape)).max(initial=0)
        )
        np.testing.assert_allclose(
            values, array, atol=near * scale, rtol=near, err_msg=f"{where} {name}"
        )
    for name, value in plain["facts"].items():
        if name in ("fast", "fast_difference", "difference"):
            continue
        assert_alike(told["facts"][name], value, (where, name), near)
    for mine, theirs in zip(worded(told["caption"]), worded(plain["caption"]), strict=True):
        assert_alike(mine, theirs, (where, "caption"), 1e-3)


def worded(text):
    """A caption's words, with its numbers as numbers."""
    for word in re.split(r"(-?[\d,]*\.?\d+(?:e[-+]\d+)?)", text):
        try:
            yield float(word.replace(",", ""))
        except ValueError:
            yield word


def assert_alike(mine, theirs, where, near):
    if isinstance(theirs, dict):
        assert mine.keys() == theirs.keys(), where
        for name in theirs:
            assert_alike(mine[name], theirs[name], (*where, name), near)
    elif isinstance(theirs, list):
        assert len(mine) == len(theirs), where
        for i, (a, b) in enumerate(zip(mine, theirs, strict=True)):
            assert_alike(a, b, (*where, i), near)
    elif isinstance(theirs, float):
        assert mine == pytest.approx(theirs, rel=near, abs=near), where
    else:
        assert mine == theirs, where
