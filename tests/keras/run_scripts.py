"""Scripts run with Keras or, the import line exchanged, with beak's: what they print, as JSON.

    python tests/keras/run_scripts.py keras|beak SCRIPT…

Behind a BatchNormalization, Adam makes steps of full size out of gradients that are rounding alone:
scripts that have one train by SGD, and slowly: at a rate of 0.02 one pair of pixels that swap
places in a pooling window, as starts 2e-7 apart do in Keras itself, moved a loss by 2e-3 of it.

What differs by its random stream is held still on both sides: models start from the same numbers,
nothing is shuffled, dropped or moved. The built-in sets are small and made up, so that nothing is
downloaded. Where Keras would need TensorFlow to read a folder, pictures are read by its own
``load_img``.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import json
import os
import re
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent / "scripts"


def exchanged(text: str) -> str:
    """A script's text with beak's Keras imported instead."""
    text = re.sub(r"^import keras$", "from beak import keras", text, flags=re.M)
    return re.sub(r"^from keras\b", "from beak.keras", text, flags=re.M)


def drawn(shape: tuple[int, ...], classes: int) -> Any:
    """A set as ``load_data`` gives it: bright squares whose place tells the class."""
    rng = np.random.default_rng(len(shape))
    pairs = []
    for count in (200, 60):
        labels = rng.integers(0, classes, count)
        pictures = rng.integers(0, 90, (count, *shape))
        for picture, label in zip(pictures, labels, strict=True):
            row, column = divmod(int(label), 4)
            picture[row * 8 : row * 8 + 8, column * 7 : column * 7 + 7] += 120
        pairs.append((pictures.astype(np.uint8), labels.astype(np.uint8)))
    return pairs


def start_of(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    """Numbers for a kernel."""
    return rng.normal(size=shape) * np.sqrt(1.5 / np.prod(shape[:-1]))


def none_of(kind: Any) -> None:
    """Let a layer's first argument, how much it changes, always be 0."""
    begin = kind.__init__
    what = list(inspect.signature(begin).parameters)[1]

    def begun(self: Any, *given: Any, **options: Any) -> None:
        begin(self, **{**options, what: 0.0})

    kind.__init__ = begun


def hold_still(keras: Any) -> None:
    """Same starts, no shuffling, no dropout, no changes at random, small sets."""
    model, layers = keras.Model, keras.layers
    fit, started = model.fit, set()

    def same_start(self: Any, x: Any = None, *more: Any, **options: Any) -> Any:
        if id(self) not in started and not options.get("initial_epoch"):
            started.add(id(self))
            if not self.built:
                self.build((None, *np.shape(x)[1:]))
            rng = np.random.default_rng(1)
            old = self.get_weights()
            self.set_weights([start_of(w.shape, rng) if w.ndim > 1 else w for w in old])
        return fit(self, x, *more, **{"shuffle": False, **options})

    model.fit = same_start
    model.summary = lambda self, **options: print("parameters:", self.count_params())
    for name in ("Dropout", "SpatialDropout1D", "RandomZoom", "RandomRotation"):
        none_of(getattr(layers, name))
    layers.RandomFlip = lambda *given, **options: layers.RandomRotation(0.0)
    for name in ("mnist", "fashion_mnist"):
        getattr(keras.datasets, name).load_data = lambda: drawn((28, 28), 10)
    keras.datasets.cifar10.load_data = lambda: [(x, y[:, None]) for x, y in drawn((32, 32, 3), 10)]


def read_without_tensorflow(keras: Any) -> None:
    """``image_dataset_from_directory`` by Keras's ``load_img``, for what the scripts ask of it."""

    def read(directory: str, image_size: Any, batch_size: int, shuffle: bool) -> Any:
        assert not shuffle
        names = sorted(os.listdir(directory))
        files = [
            (str(path), number)
            for number, name in enumerate(names)
            for path in sorted(Path(directory, name).iterdir())
        ]
        print(f"Found {len(files)} files belonging to {len(names)} classes.")

        class Batches(keras.utils.PyDataset):  # type: ignore[misc]
            def __len__(self) -> int:
                return -(-len(files) // batch_size)

            def __getitem__(self, index: int) -> Any:
                here = files[index * batch_size : (index + 1) * batch_size]
                utils = keras.utils
                x = [utils.img_to_array(utils.load_img(p, target_size=image_size)) for p, _ in here]
                return np.stack(x), np.array([number for _, number in here], np.int32)

        return Batches()

    keras.utils.image_dataset_from_directory = read


def printed(which: str, path: Path) -> str:
    """What a script prints, run in a folder of its own."""
    text = path.read_text(encoding="utf-8")
    if which == "beak":
        text = exchanged(text)
    out, before = io.StringIO(), os.getcwd()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(out):
        os.chdir(folder)
        try:
            exec(compile(text, str(path), "exec"), {"__name__": "__main__"})
        finally:
            os.chdir(before)
    return out.getvalue()


def main(which: str, names: list[str]) -> None:
    """Print a JSON object: each script's output."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    if which == "keras":
        warnings.simplefilter("ignore")
    keras = importlib.import_module("keras" if which == "keras" else "beak.keras")
    hold_still(keras)
    if which == "keras":
        read_without_tensorflow(keras)
    found = {}
    for name in names:
        keras.utils.clear_session()
        found[name] = printed(which, FOLDER / f"{name}.py")
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
