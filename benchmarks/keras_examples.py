"""Example scripts in Keras and on beak: processor seconds of each whole script, side by side.

    python benchmarks/keras_examples.py [--python PATH] [--scripts NAME…] [--examples N]

The scripts are those of ``tests/keras/scripts``, with more examples and their dropout; a process
for each, the sides in turn, one core each. Keras runs on PyTorch, eagerly and (``--compiled``)
with ``jit_compile=True``. Seconds are user + system, so that others at work on the machine disturb
little; "script" leaves the import out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

SCRIPTS = Path(__file__).parents[1] / "tests" / "keras"
NAMES = ("mnist_convnet", "cifar_augmented", "lecture_today", "sentences", "branches")
MORE = {
    "sentences": (("(200, maxlen)", "(N, maxlen)"), ("2, 200)", "2, N)"), ("150", "N * 3 // 4")),
    "branches": (("(96, 16", "(N, 16"),),
}
"""Where scripts make their own data: so many examples are made instead."""


def child(which: str, name: str, examples: int) -> None:
    """One script in this process: prints its seconds as JSON."""
    sys.path.insert(0, str(SCRIPTS))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import contextlib
    import io
    import tempfile

    import run_scripts

    os.environ["KERAS_BACKEND"] = "torch"
    began = time.process_time()
    if which == "beak":
        from beak import keras
    else:
        import keras
    keras.layers.Dense, keras.Model, keras.datasets.mnist  # noqa: B018 - loaded lazily
    imported = time.process_time() - began
    shapes = {"mnist": (28, 28), "fashion_mnist": (28, 28), "cifar10": (32, 32, 3)}
    for of, shape in shapes.items():
        (x, y), (tx, ty) = run_scripts.drawn(shape, 10)
        times = -(-examples // len(x))
        y, ty = (y, ty) if of != "cifar10" else (y[:, None], ty[:, None])
        whole = (x.repeat(times, 0), y.repeat(times, 0)), (tx, ty)
        getattr(keras.datasets, of).load_data = lambda whole=whole: whole
    if which == "compiled":
        plain = keras.Model.compile
        keras.Model.compile = lambda self, *given, **options: plain(
            self, *given, **{**options, "jit_compile": True}
        )
    text = (SCRIPTS / "scripts" / f"{name}.py").read_text()
    for old, new in MORE.get(name, ()):
        text = text.replace(old, new.replace("N", str(examples)))
    text = run_scripts.exchanged(text) if which == "beak" else text
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        os.chdir(folder)
        began = time.process_time()
        exec(compile(text, name, "exec"), {"__name__": "__main__"})
        took = time.process_time() - began
        os.chdir("/")
    print(json.dumps({"import": imported, "script": took, "whole": time.process_time()}))


def run(python: str, which: str, name: str, examples: int) -> dict[str, float]:
    """One script in a process of its own."""
    words = [python, __file__, "--child", which, name, "--examples", str(examples)]
    around = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, env=around)
    if done.returncode:
        sys.exit(f"{which} {name}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Each script on both sides, in turn; the best of each and how many times faster."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--python", default=sys.executable, help="one that has Keras")
    ask.add_argument("--scripts", nargs="+", default=NAMES)
    ask.add_argument("--examples", type=int, default=2000)
    ask.add_argument("--rounds", type=int, default=2)
    ask.add_argument("--compiled", action="store_true")
    ask.add_argument("--child", nargs=2)
    asked = ask.parse_args()
    if asked.child:
        child(*asked.child, asked.examples)
        return
    sides = ["beak", "keras", *(["compiled"] if asked.compiled else [])]
    for name in asked.scripts:
        best: dict[str, dict[str, float]] = {}
        for _ in range(asked.rounds):
            for which in sides:
                python = sys.executable if which == "beak" else asked.python
                found = run(python, which, name, asked.examples)
                old = best.get(which, found)
                best[which] = {key: min(value, old[key]) for key, value in found.items()}
        others = [best[which] for which in sides[1:]]
        told = "  ".join(
            f"{which} {took['script']:.2f} s (whole {took['whole']:.2f} s)"
            for which, took in best.items()
        )
        times = {
            key: min(one[key] for one in others) / best["beak"][key] for key in ("script", "whole")
        }
        print(f"{name:16} {told}  {times['script']:.1f} times, whole {times['whole']:.1f}")


if __name__ == "__main__":
    main()
