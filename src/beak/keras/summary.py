"""A model's summary as a table of text, laid out as Keras lays it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from beak.keras.model import Model

SHARES = (0.45, 0.33, 0.22)


def summary_text(model: Model, line_length: int | None = None) -> str:
    """The table and the counts below it."""
    model._check_built()
    width = max(50, line_length or 76)
    inner = width - 4
    sizes = [int(inner * share) for share in SHARES]
    rows = [("Layer (type)", "Output Shape", "Param #")]
    for layer in model.layers:
        shape = layer.output.shape if layer.nodes else ("?",)
        if layer is model._start_.node.layer:
            shape = model.input_shape
        text = f"({', '.join(str(size) for size in shape)})"
        rows.append((f"{layer.name} ({layer.kind})", text, f"{layer.count_params():,}"))
    lines = [f'Model: "{model.name}"', _rule("┏", "━", "┳", "┓", sizes)]
    for number, row in enumerate(rows):
        bar = "┃" if number == 0 else "│"
        lines += _cells(row, sizes, bar)
        if number == 0:
            lines.append(_rule("┡", "━", "╇", "┩", sizes))
        elif number < len(rows) - 1:
            lines.append(_rule("├", "─", "┼", "┤", sizes))
    lines.append(_rule("└", "─", "┴", "┘", sizes))
    every = sum(int(np.prod(v.shape)) for v in model.weights)
    trained = sum(int(np.prod(v.shape)) for v in model.trainable_weights)
    for what, count in (
        ("Total params", every), ("Trainable params", trained),
        ("Non-trainable params", every - trained),
    ):  # fmt: skip
        lines.append(f" {what}: {count:,} ({_bytes(4 * count)})")
    return "\n".join(lines)


def _rule(left: str, line: str, cross: str, right: str, sizes: list[int]) -> str:
    return left + cross.join(line * size for size in sizes) + right


def _cells(row: tuple[str, ...], sizes: list[int], bar: str) -> list[str]:
    """A row's lines: what is too long goes on in the next."""
    parts = [
        textwrap.wrap(text, size - 2, break_on_hyphens=False) or [""]
        for text, size in zip(row, sizes, strict=True)
    ]
    lines = []
    for number in range(max(map(len, parts))):
        texts = [part[number] if number < len(part) else "" for part in parts]
        cells = [f" {text:<{size - 2}} " for text, size in zip(texts, sizes, strict=True)]
        cells[-1] = f" {texts[-1]:>{sizes[-1] - 2}} "
        lines.append(bar + bar.join(cells) + bar)
    return lines


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "KB", "MB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} GB"
