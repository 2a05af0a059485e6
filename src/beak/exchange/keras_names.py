"""How Keras makes names of class names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence


def snake(name: str) -> str:
    """Conv2D: conv2d; BatchNormalization: batch_normalization.

    >>> snake("Conv2D"), snake("BatchNormalization"), snake("MaxPooling2D"), snake("ReLU")
    ('conv2d', 'batch_normalization', 'max_pooling2d', 're_lu')
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def group_names(kinds: Sequence[str]) -> list[str]:
    """What a file calls layers of these classes, in order.

    >>> group_names(["Conv2D", "Dense", "Conv2D"])
    ['conv2d', 'dense', 'conv2d_1']
    """
    counts: Counter[str] = Counter()
    names = []
    for kind in kinds:
        base = snake(kind)
        names.append(base if counts[base] == 0 else f"{base}_{counts[base]}")
        counts[base] += 1
    return names
