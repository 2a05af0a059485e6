"""Pictures of a source's test part, drawn with what a network sees in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from beak.cli.console import make_console, percent, plain, print_json
from beak.cli.drawing import GAP, SIDE, draw_row
from beak.errors import DataError, UsageError

if TYPE_CHECKING:
    from rich.text import Text

    from beak.runs.model import Model

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Example:
    """One picture with its label and the network's answer."""

    name: str
    pixels: Array
    """uint8 (C, H, W)."""
    label: str
    predicted: str
    probabilities: dict[str, float]
    """The best first."""


def pick_examples(
    model: Model,
    source: str,
    wanted: int,
    data_dir: Path | None,
    threads: int | None,
    exact: bool = False,
    engine: str = "auto",
    device: str = "cpu",
) -> list[Example]:
    """``wanted`` examples, spread evenly over the source's test part.

    Raises DataError where the source has no test part.
    """
    from beak.data.load import load_dataset
    from beak.engine.make import make_engine
    from beak.runs.evaluate import log_softmax

    if model.spec.kind != "pictures":
        raise UsageError(f"--show draws pictures; {model.name} was trained on {model.spec.kind}")
    dataset = load_dataset(source, data_dir=data_dir, spec=model.spec, threads=threads)
    part = dataset.parts["test"]
    if len(part) == 0:
        raise DataError(f"{source}: there is no test part to show examples of")
    places = np.unique(np.linspace(0, len(part) - 1, min(wanted, len(part))).astype(int))
    pixels = np.asarray(part.inputs[places])
    computing = make_engine(
        model.network, model.parameters, threads=threads, kind=engine, device=device, exact=exact
    )
    shares = np.exp(log_softmax(computing.logits(model.spec.prepare(pixels))))
    examples = []
    for i, place in enumerate(places):
        order = np.argsort(-shares[i], kind="stable")
        ranked = {model.labels[k]: float(shares[i][k]) for k in order}
        label = dataset.labels[int(part.labels[place])]
        examples.append(
            Example(part.names[place], pixels[i], label, model.labels[order[0]], ranked)
        )
    return examples


def show_examples(
    model: Model,
    source: str,
    wanted: int,
    *,
    data_dir: Path | None = None,
    threads: int | None = None,
    exact: bool = False,
    engine: str = "auto",
    device: str = "cpu",
    as_json: bool = False,
    reading: Mapping[str, Any] | None = None,
) -> None:
    """Draw ``wanted`` examples with the answers, or print the answers for programs."""
    if model.spec.kind == "texts":
        from beak.cli.text_examples import show_texts

        show_texts(
            model, source, wanted, threads=threads, exact=exact, engine=engine, device=device,
            as_json=as_json, data_dir=data_dir, reading=reading,
        )  # fmt: skip
        return
    examples = pick_examples(model, source, wanted, data_dir, threads, exact, engine, device)
    if as_json:
        for one in examples:
            print_json(
                {
                    "input": one.name,
                    "label": one.predicted,
                    "probabilities": one.probabilities,
                    "truth": one.label,
                }
            )
        return
    draw_row(make_console(), [one.pixels for one in examples], [caption(one) for one in examples])


def fitting_in_a_row(width: int) -> int:
    """How many pictures fit side by side, at most 6."""
    return min(6, max(1, (width - 2) // (SIDE + GAP)))


def caption(example: Example) -> list[Text]:
    """'✓ 7', '99.8 %', or in red '✗ 7', 'is 1' where the answer is wrong."""
    from rich.text import Text

    predicted, label = plain(example.predicted), plain(example.label)
    if example.predicted != example.label:
        return [Text(f"✗ {predicted}", "bad"), Text(f"is {label}", "bad")]
    sure = percent(example.probabilities[example.predicted])
    return [Text(f"✓ {predicted}", "good"), Text(sure, "dim")]
