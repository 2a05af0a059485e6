"""The parts of a report about single answers: confusions, classes, worst mistakes."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from beak.data.kinds import kind_of
from beak.runs.charts import percent, text
from beak.runs.evaluate import ClassScore, Evaluation, Mistake
from beak.runs.png import data_uri, thumbnail

if TYPE_CHECKING:
    from beak.data.dataset import Part
    from beak.data.spec import InputSpec


def sound_uri(wav: bytes) -> str:
    """A sound file as the source of an <audio> element."""
    return f"data:audio/wav;base64,{base64.b64encode(wav).decode()}"


MATRIX_LIMIT = 24
"""Classes up to which the whole matrix is shown with numbers."""
CLASSES_SHOWN = 40
"""Classes shown before the rest is folded away."""
PIXELATED_BELOW = 64
"""Pictures smaller than this are enlarged as squares, so that their pixels can be seen."""


def matrix_section(evaluation: Evaluation, part_name: str) -> str:
    """The confusion matrix: with numbers while it is small, as a picture beyond; then the pairs."""
    count = len(evaluation.labels)
    shown = _matrix(evaluation) if count <= MATRIX_LIMIT else _overview(evaluation)
    pairs = _pairs(evaluation)
    return (
        "<section><h2>What is taken for what</h2>"
        f'<p class="why">Each row holds the {text(part_name)} examples of one class, each column '
        "what they were taken for. Right answers lie on the diagonal; a colour's strength is the "
        "share of its row.</p>"
        f'<div class="beside"><div class="scroll">{shown}</div>{pairs}</div></section>'
    )


def _matrix(evaluation: Evaluation) -> str:
    names = [f"<bdi>{text(label, 60)}</bdi>" for label in evaluation.labels]
    tall = " tall" if any(len(label) > 4 for label in evaluation.labels) else ""
    head = "".join(f'<th scope="col"><span class="name{tall}">{name}</span></th>' for name in names)
    rows = []
    for k, name in enumerate(names):
        row = evaluation.confusion[k]
        total = max(1, int(row.sum()))
        cells = "".join(_cell(int(n), int(n) / total, hit=j == k) for j, n in enumerate(row))
        rows.append(f'<tr><th scope="row"><span class="name">{name}</span></th>{cells}</tr>')
    return (
        f'<table class="matrix"><thead><tr><th></th><th class="way" colspan="{len(names)}">'
        f"taken for</th></tr><tr><th>is</th>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _cell(number: int, share: float, *, hit: bool) -> str:
    if number == 0:
        return '<td class="z">0</td>'
    much = round(12 + 88 * (share if hit else min(1.0, share * 2)))  # few mistakes must show too
    strong = " strong" if much > 58 else ""
    look = "hit" if hit else "miss"
    return f'<td class="{look}{strong}" style="--much:{much}%">{number:,}</td>'


def _overview(evaluation: Evaluation) -> str:
    """The matrix of many classes as a picture, one pixel a cell (blocks beyond 512 classes)."""
    counts = evaluation.confusion.astype(np.float64)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    block = -(-len(shares) // 512)
    edges = range(0, len(shares), block)
    shares = np.maximum.reduceat(np.maximum.reduceat(shares, edges, axis=0), edges, axis=1)
    right = np.eye(len(shares), dtype=bool)
    colours = np.array([[191, 67, 39], [42, 140, 160]], np.uint8)  # readable on light and on dark
    strength = np.where(right, shares, np.minimum(1, 2 * shares))
    alpha = np.where(strength > 0, 40 + 215 * strength, 0).round().astype(np.uint8)
    pixels = np.concatenate([colours[right.astype(int)].transpose(2, 0, 1), alpha[None]])
    said = f"confusion matrix of {len(evaluation.labels):,} classes"
    return f'<img class="overview" alt="{said}" src="{data_uri(pixels)}">'


def _pairs(evaluation: Evaluation, most: int = 8) -> str:
    """The classes most often confused."""
    wrong = evaluation.confusion - np.diag(np.diag(evaluation.confusion))
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    rows = []
    for place in order:
        real, taken = divmod(int(place), len(evaluation.labels))
        number = int(wrong[real, taken])
        if number:
            names = (evaluation.labels[real], evaluation.labels[taken])
            said = _taken(*names)
            times = f"{number:,} time{'s' if number > 1 else ''}"
            rows.append(f'<tr><td>{said}</td><td class="n">{times}</td></tr>')
    if not rows:
        return "<div><h3>Most often confused</h3><p>No example was taken for another.</p></div>"
    return (
        '<div><h3>Most often confused</h3><table class="list"><tbody>'
        f"{''.join(rows)}</tbody></table></div>"
    )


def _taken(label: str, predicted: str) -> str:
    """'4 taken for 9', as the report writes every mistake."""
    return (
        f"<b><bdi>{text(label, 60)}</bdi></b> taken for "
        f'<span class="got"><bdi>{text(predicted, 60)}</bdi></span>'
    )


def classes_section(evaluation: Evaluation) -> str:
    """Precision, recall and F1 of each class; of many classes the weakest first."""
    scores = list(evaluation.classes)
    why = (
        "Precision: of those called so, how many are. Recall: of those that are, how many were "
        "found. F1: both in one number."
    )
    if len(scores) > CLASSES_SHOWN:
        scores.sort(key=lambda score: (score.f1 is None, score.f1))
        why += " The weakest come first."
    first = _class_table(scores[:CLASSES_SHOWN])
    rest = scores[CLASSES_SHOWN:]
    folded = f"<details><summary>{len(rest):,} more classes</summary>{_class_table(rest)}</details>"
    return (
        f'<section><h2>Class by class</h2><p class="why">{why}</p>{first}'
        f"{folded if rest else ''}</section>"
    )


def _class_table(scores: list[ClassScore]) -> str:
    rows = "".join(
        f'<tr><th scope="row"><bdi>{text(score.label, 80)}</bdi></th>{_share(score.precision)}'
        f'{_share(score.recall)}{_share(score.f1)}<td class="n">{score.support:,}</td></tr>'
        for score in scores
    )
    heads = "".join(f'<th class="n">{h}</th>' for h in ("Precision", "Recall", "F1", "Examples"))
    return (
        '<div class="scroll"><table class="rows scores"><thead><tr><th>Class</th>'
        f"{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _share(share: float | None) -> str:
    if share is None:
        return '<td class="n">none</td>'
    bar = f'<span class="bar"><i style="width:{100 * share:.1f}%"></i></span>'
    return f'<td class="n">{percent(share)}{bar}</td>'


def _heard(row: np.ndarray[Any, Any], spec: InputSpec) -> str:
    """A sound's spectrogram, and the sound itself to be played; empty for other kinds."""
    kind = kind_of(spec.kind)
    sound, drawn = kind.sound(row, spec), kind.drawn(row, spec)
    if sound is None or drawn is None:
        return ""
    image = f'<img alt="" loading="lazy" src="{data_uri(drawn)}">'
    played = f'<audio controls preload="none" src="{sound_uri(sound)}"></audio>'
    return f'<div class="heard">{image}{played}</div>'


def mistakes_section(
    evaluation: Evaluation,
    part: Part | None,
    part_name: str,
    spec: InputSpec | None = None,
    show: Callable[[Mistake], str] | None = None,
) -> str:
    """The surest wrong answers, each with its picture or its sound where it is one.

    ``show``: how another kind of input is shown; a text with its words marked.
    """
    if not evaluation.mistakes:
        said = f"Every one of the {evaluation.examples:,} {text(part_name)} examples was right."
        return f'<section><h2>Worst mistakes</h2><p class="why">{said}</p></section>'
    figures = []
    for mistake in evaluation.mistakes:
        picture = "" if show is None else show(mistake)
        if show is None and part is not None:
            pixels = np.asarray(part.inputs[mistake.index])
            if spec is not None and (heard := _heard(pixels, spec)):
                picture = heard
            elif pixels.ndim == 3 and pixels.dtype == np.uint8:
                small = ' class="small"' if max(pixels.shape[1:]) < PIXELATED_BELOW else ""
                image = f'<img alt="" loading="lazy" src="{data_uri(thumbnail(pixels))}">'
                picture = f"<div{small}>{image}</div>"
        figures.append(
            f"<figure>{picture}<figcaption>{_taken(mistake.label, mistake.predicted)}, "
            f"{percent(mistake.probability)} sure"
            f"<small><bdi>{text(mistake.name, 200)}</bdi></small></figcaption></figure>"
        )
    how = ""
    if show is not None:
        how = (
            " A word is marked by how much the answer falls when it is taken away: "
            '<mark class="for" style="--much:60%">it led to the answer</mark>, '
            '<mark class="against" style="--much:60%">it spoke against it</mark>.'
        )
    return (
        "<section><h2>Worst mistakes</h2>"
        '<p class="why">The wrong answers that the network was surest of. Look here for wrong '
        f"labels in the data too.{how}</p>"
        f'<div class="{"texts" if show else "grid-of"}">{"".join(figures)}</div></section>'
    )
