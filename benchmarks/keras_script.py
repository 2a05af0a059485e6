"""The lecture's script in Keras and on beak: the whole script, import to the last epoch.

    python benchmarks/keras_script.py --python PATH-OF-A-PYTHON-WITH-KERAS [--backends jax torch]

Each runs in a process of its own on the same cores, beak with the Python that runs this. Pictures
are drawn at random: the time does not hang on what they show.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time

EPOCHS, EXAMPLES, BATCH = 3, 12_000, 128


def script(keras, epochs: int, examples: int) -> dict[str, float]:
    """The lecture's network as it is written today; seconds to build, and of fit."""
    import numpy as np

    began = time.perf_counter()
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(25, 3),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(50, 3),
            layers.MaxPooling2D((2, 2)),
            layers.Flatten(),
            layers.Dense(100, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    built = time.perf_counter() - began
    rng = np.random.default_rng(0)
    x = rng.random((examples, 28, 28, 1), np.float32)
    y = keras.utils.to_categorical(rng.integers(0, 10, examples), 10)
    began = time.perf_counter()
    history = model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0)
    assert len(history.history["loss"]) == epochs
    return {"build": built, "fit": time.perf_counter() - began}


def side(which: str, epochs: int, examples: int) -> None:
    """One side in this process: prints its seconds as JSON."""
    began = time.perf_counter()
    if which == "beak":
        from beak import keras

        assert keras.layers.Dense
    else:
        os.environ["KERAS_BACKEND"] = which
        import keras

        assert keras.layers.Dense
    imported = time.perf_counter() - began
    found = script(keras, epochs, examples)
    print(json.dumps({"import": imported, **found}))


def run(python: str, which: str, epochs: int, examples: int) -> dict[str, float]:
    """One side in a process of its own; its seconds, the whole process among them."""
    began = time.perf_counter()
    words = [
        python,
        __file__,
        "--side",
        which,
        "--epochs",
        str(epochs),
        "--examples",
        str(examples),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return {**json.loads(done.stdout.splitlines()[-1]), "script": time.perf_counter() - began}


def main() -> None:
    """Both, and how many times faster."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--python", default=sys.executable)
    ask.add_argument("--backends", nargs="+", default=["jax"])
    ask.add_argument("--epochs", type=int, default=EPOCHS)
    ask.add_argument("--examples", type=int, default=EXAMPLES)
    ask.add_argument("--side")
    asked = ask.parse_args()
    if asked.side:
        side(asked.side, asked.epochs, asked.examples)
        return
    times = {"beak": run(sys.executable, "beak", asked.epochs, asked.examples)}
    for backend in asked.backends:
        times[backend] = run(asked.python, backend, asked.epochs, asked.examples)
    for which, took in times.items():
        told = "  ".join(f"{what} {seconds:.2f} s" for what, seconds in took.items())
        print(f"{which:12} {told}")
    best = min((took["script"], which) for which, took in times.items() if which != "beak")
    print(f"the whole script: {best[0] / times['beak']['script']:.1f} times as fast as {best[1]}")
    fits = min(took["fit"] for which, took in times.items() if which != "beak")
    print(f"fit alone: {fits / times['beak']['fit']:.1f} times")


if __name__ == "__main__":
    main()
