"""``keras.datasets``: built-in sets as arrays, as Keras gives them."""

from __future__ import annotations

from typing import Any

import numpy as np

from beak.data.arrays import idx_parts
from beak.data.builtin import builtin, get
from beak.data.cifar import cifar_parts
from beak.data.split import TEST, TRAIN
from beak.keras.config import missing

Array = np.ndarray[Any, Any]
Pair = tuple[Array, Array]


class _Set:
    """One of them, with ``load_data``."""

    def __init__(self, name: str, doc: str) -> None:
        self._name, self.__doc__ = name, doc

    def load_data(self, path: Any = None) -> tuple[Pair, Pair]:
        """((x_train, y_train), (x_test, y_test)), bytes; downloaded where they are not here yet.

        ``path`` changes nothing: they lie where beak keeps its sets.
        """
        files = get(builtin(self._name), None)
        cifar = self._name == "cifar10"
        parts = {part.part: part for part in (cifar_parts if cifar else idx_parts)(files)}
        return self._pair(parts[TRAIN], cifar), self._pair(parts[TEST], cifar)

    def _pair(self, part: Any, cifar: bool) -> Pair:
        inputs = np.concatenate(list(part.inputs.pieces()))
        labels = np.asarray(part.labels, np.uint8)
        if cifar:
            return np.ascontiguousarray(np.moveaxis(inputs, 1, -1)), labels.reshape(-1, 1)
        return inputs.reshape(len(inputs), 28, 28), labels


mnist = _Set("mnist", "Handwritten digits: (60000, 28, 28) and (10000, 28, 28).")
fashion_mnist = _Set("fashion-mnist", "Clothes: (60000, 28, 28) and (10000, 28, 28).")
cifar10 = _Set("cifar10", "Small photographs: (50000, 32, 32, 3) and (10000, 32, 32, 3).")
__all__ = ["cifar10", "fashion_mnist", "mnist"]
NEAREST = {
    "cifar100": "cifar10",
    "imdb": "beak train with a file of sentences, or arrays of word numbers",
    "reuters": "beak train with a file of sentences",
    "boston_housing": "numpy.loadtxt",
    "california_housing": "numpy.loadtxt",
}
__getattr__ = missing("datasets", __all__, NEAREST)
