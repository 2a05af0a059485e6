"""Make src/beak/data/files/digits.npz from scikit-learn's load_digits (see LICENSES/digits.md)."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

bunch = load_digits()
np.savez_compressed(
    Path(__file__).parents[1] / "src/beak/data/files/digits.npz",
    images=bunch.images.astype(np.uint8),
    labels=bunch.target.astype(np.uint8),
)
