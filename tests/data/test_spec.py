import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from beak.data.kinds import read_spec
from beak.data.picture_spec import FITS, PictureSpec
from beak.errors import DataError

SPEC = PictureSpec("pictures", (3, 4, 6), "crop", 9, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))


def test_json_there_and_back():
    assert read_spec(SPEC.to_json()) == SPEC


def test_prepare_is_value_over_255_minus_mean_over_std():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 6), dtype=np.uint8)
    mean, std = (np.array(v)[:, None, None] for v in (SPEC.mean, SPEC.std))
    found = SPEC.prepare(pixels)
    assert found.dtype == np.float32
    assert_allclose(found, (pixels / 255 - mean) / std, rtol=1e-6, atol=1e-7)


def test_numbers_are_standardised():
    spec = PictureSpec("numbers", (1, 1, 3), mean=(2.0,), std=(4.0,))
    assert spec.prepare(np.array([[[[2, 6, -2]]]], np.float32)).ravel().tolist() == [0, 1, -1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fit": "squash"}, "no fit 'squash'"),
        ({"shape": (4, 6, 3)}, r"channels come first: \(3, 4, 6\)"),
        ({"shape": (3, 0, 6)}, "is not"),
        ({"background": 256}, "from 0 to 255"),
        ({"std": (0.0, 1.0, 1.0)}, "above 0"),
        ({"mean": (0.5,)}, "3 numbers"),
        ({"mean": (float("nan"),) * 3}, "list of numbers"),
        ({"kind": "picture"}, "did you mean 'pictures'"),
        ({"colour": 1}, "no field 'colour'"),
        ({"shape": "3x4"}, "list of numbers"),
        ({"shape": [3, 4]}, "is not"),
    ],
)
def test_what_is_wrong_is_said(change, said):
    with pytest.raises(DataError, match=said):
        read_spec(SPEC.to_json() | change)


def test_a_missing_field_is_named():
    data = SPEC.to_json()
    del data["std"]
    with pytest.raises(DataError, match="'std' is missing"):
        read_spec(data)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
)


@given(st.dictionaries(st.sampled_from(sorted(SPEC.to_json())), anything) | anything)
def test_hostile_json_is_a_data_error(data):
    merged = SPEC.to_json() | data if isinstance(data, dict) else data
    try:
        read_spec(merged)
    except DataError as error:
        text = str(error)
        assert "\n" not in text


def test_describe_says_what_happens_to_other_shapes():
    assert all(FITS[fit] in PictureSpec("pictures", (1, 8, 8), fit).describe() for fit in FITS)
    with pytest.raises(DataError, match="made for"):
        SPEC.prepare(np.zeros((1, 3, 6, 4), np.uint8))
