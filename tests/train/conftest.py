from __future__ import annotations

import os

import numpy as np
import pytest

from beak.data.memory import load_arrays


def strokes(examples, classes=2, size=8, seed=0, noise=60):
    """Grey pictures with one bright stroke each, upright, lying or slanted: easy, not trivial."""
    random = np.random.default_rng(seed)
    pictures = random.integers(0, noise, (examples, size, size))
    labels = np.arange(examples) % classes
    for picture, label in zip(pictures, labels, strict=True):
        at = random.integers(1, size - 1)
        if label == 0:
            picture[:, at] += 150
        elif label == 1:
            picture[at, :] += 150
        else:
            picture[np.arange(size), np.arange(size)] += 150
    return pictures.astype(np.uint8), labels


@pytest.fixture(scope="session")
def kind():
    """The engine's kind: BEAK_TEST_ENGINE=reference where the kernels are not built."""
    return os.environ.get("BEAK_TEST_ENGINE", "native")


@pytest.fixture(scope="session")
def make_strokes():
    return strokes


@pytest.fixture
def dataset():
    """60 pictures of 8x8, two classes, in the usual three parts (here 40, 10, 10)."""
    parts = np.repeat([0, 1, 2], [40, 10, 10])
    return load_arrays(*strokes(60), name="strokes", kind="pictures", given=parts)
