"""``keras.utils``: labels as one-hot rows, seeds, datasets of one's own, pictures in folders."""

from __future__ import annotations

from typing import Any

import numpy as np

from beak.errors import ShapeError
from beak.keras.config import clear_session, missing, refuse, set_random_seed
from beak.keras.folders import image_dataset_from_directory, img_to_array, load_img

Array = np.ndarray[Any, Any]


def to_categorical(x: Any, num_classes: int | None = None) -> Array:
    """Class numbers as one-hot rows.

    >>> to_categorical([0, 2]).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    labels = np.asarray(x, np.int64)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    classes = int(num_classes) if num_classes else int(labels.max()) + 1
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        raise ShapeError(
            f"to_categorical: labels from {labels.min()} to {labels.max()}, "
            f"0 to {classes - 1} was wanted"
        )
    return np.eye(classes)[labels]


def normalize(x: Any, axis: int = -1, order: int = 2) -> Array:
    """Rows brought to length 1."""
    array = np.asarray(x, np.float64)
    length = np.linalg.norm(array, order, axis, keepdims=True)
    return np.asarray(array / np.where(length == 0, 1, length))


class PyDataset:
    """Batches of one's own: define ``__len__`` and ``__getitem__``."""

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        self.workers = workers

    def on_epoch_end(self) -> None:
        """An epoch is done."""


Sequence = PyDataset


def plot_model(*given: Any, **options: Any) -> None:
    """Refused: the page shows every network."""
    raise refuse("plot_model", "model.summary(), or model.save_run and beak look")


np_utils = type("np_utils", (), {"to_categorical": staticmethod(to_categorical)})
__all__ = [
    "PyDataset",
    "Sequence",
    "clear_session",
    "image_dataset_from_directory",
    "img_to_array",
    "load_img",
    "normalize",
    "plot_model",
    "set_random_seed",
    "to_categorical",
]
NEAREST = {
    "text_dataset_from_directory": "beak train with a folder of texts",
    "timeseries_dataset_from_array": "numpy.lib.stride_tricks.sliding_window_view",
    "audio_dataset_from_directory": "beak train with a folder of sounds",
    "pad_sequences": "numpy.pad",
    "get_file": "urllib.request.urlretrieve",
    "split_dataset": "take and skip",
    "custom_object_scope": "layers of beak.keras",
    "register_keras_serializable": "layers of beak.keras",
}
__getattr__ = missing("utils", __all__, NEAREST)
