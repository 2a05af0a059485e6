"""An export in the browser: onnxruntime-web in Chromium answers as the run does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from beak.exchange.check import compare
from beak.exchange.examples import examples
from beak.exchange.onnx_model import input_name, onnx_bytes

pytest.importorskip("onnx")
pytest.importorskip("playwright.sync_api", reason="needs the extra dev")
pytestmark = pytest.mark.slow
BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")


@pytest.fixture(scope="module")
def web():
    """A function: an ONNX file's answers in the browser; one browser for all tests."""
    sys.path.insert(0, BENCHMARKS)
    try:
        import browser
    finally:
        sys.path.remove(BENCHMARKS)
    try:
        browser.chromium()
        browser.package()
    except browser.MissingError as error:
        pytest.skip(str(error))
    with browser.browser() as opened:
        yield opened


def test_the_browser_answers_as_the_run_does(any_run, web):
    answers = web(onnx_bytes(any_run.model), input_name(any_run.spec))
    found = compare(any_run, examples(any_run), answers)
    assert found.inputs >= 200
    assert found.agrees
    assert found.difference < 2e-5


def test_8_bits_run_in_the_browser_too(picture_run, web, dataset_for):
    from beak.exchange.check import onnx_answers
    from beak.exchange.int8 import int8_bytes

    made = int8_bytes(picture_run, dataset_for(picture_run))
    here, there = onnx_answers(made, picture_run.model), web(made, "pixels")
    for pair in examples(picture_run)[:40]:
        inputs = pair.exported[None]
        # a value in the middle between two bytes may fall to either side
        assert abs(here(inputs) - there(inputs)).max() < 0.02
