"""What ONNX makes of raw inputs, beside the code that training and prediction use."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from beak.data.picture_spec import FITS, PictureSpec
from beak.data.pictures import load_raw
from beak.data.text_spec import TextSpec
from beak.engine.onnx_running import onnx_session
from beak.exchange.onnx_graph import Graph
from beak.exchange.onnx_pictures import prepare_pictures
from beak.exchange.onnx_texts import prepare_texts

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
SIZE = (11, 14)


def session_of(spec):
    g = Graph()
    value = prepare_pictures(g, spec) if spec.kind == "pictures" else prepare_texts(g, spec)
    value = g.number(value)
    return onnx_session(g.model({"prepared": (value, ["N", *spec.shape])}, {}), 1)


def picture_spec(fit: str, channels: int) -> PictureSpec:
    # one grey level is 1, so that a wrong level anywhere is seen as a whole number
    return PictureSpec(
        "pictures", (channels, *SIZE), fit, 77, (0.0,) * channels, (1 / 255,) * channels
    )


SPECS = {(fit, channels): picture_spec(fit, channels) for fit in FITS for channels in (1, 3)}
SESSIONS: dict = {}


@given(
    st.sampled_from(sorted(SPECS)), st.integers(1, 70), st.integers(1, 70),
    st.sampled_from([1, 3, 4]), st.integers(0, 99),
)  # fmt: skip
def test_pictures_of_any_size_become_the_same_bytes(which, height, width, channels, seed):
    spec = SPECS[which]
    session = SESSIONS.setdefault(which, session_of(spec))
    pixels = np.random.default_rng(seed).integers(0, 256, (2, height, width, channels), np.uint8)
    (found,) = session.run(None, {"pixels": pixels})
    wanted = np.stack([load_raw(one, spec)[0] for one in pixels])
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-3)


@pytest.mark.parametrize("size", [(1500, 3), (3, 2100), (640, 480), SIZE])
def test_large_and_narrow_pictures_too(size):
    spec = SPECS["stretch", 3]
    pixels = np.random.default_rng(0).integers(0, 256, (1, *size, 3), np.uint8)
    (found,) = session_of(spec).run(None, {"pixels": pixels})
    np.testing.assert_allclose(found[0], load_raw(pixels[0], spec)[0], rtol=0, atol=1e-3)


@given(st.integers(2, 30), st.integers(1, 12), st.integers(0, 99), st.integers(2, 2000))
def test_pairs_of_words_get_the_same_numbers(length, bits, seed, words):
    spec = TextSpec("texts", (3 * length,), "pairs", True, 1 << bits, tuple(map(str, range(words))))
    rows = np.random.default_rng(seed).integers(0, words + 2, (3, length)).astype(np.int32)
    rows[0, length // 2 :] = 0
    (found,) = session_of(spec).run(None, {"words": rows})
    np.testing.assert_array_equal(found, spec.prepare(rows))
