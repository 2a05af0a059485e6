"""Texts whose labels follow from their words, for the tests of trainings."""

from __future__ import annotations

import numpy as np

GOOD, BAD = ("fine", "moving", "bright"), ("dull", "tedious", "flat")
FILLING = ("a", "film", "the", "plot", "actor", "scene", "of", "and")


def sentences(count, seed):
    """Texts whose label is said by one word, and by "not" before one of the other side."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        label = i % 2
        turned = rng.random() < 0.3
        word = (GOOD, BAD)[label ^ turned][rng.integers(3)]
        core = ["not", word] if turned else [word]
        words = [*rng.choice(FILLING, rng.integers(2, 7)), *core, *rng.choice(FILLING, 2)]
        yield f"{' '.join(words)} {seed}{i}", ("pos", "neg")[label]


def write(folder, train=160, test=40, test_seed=3):
    folder.mkdir(parents=True, exist_ok=True)
    for name, count, seed in (("train", train, 1), ("val", 40, 2), ("test", test, test_seed)):
        rows = "".join(f"{text},{label}\n" for text, label in sentences(count, seed))
        (folder / f"{name}.csv").write_text("text,label\n" + rows)
    return folder
