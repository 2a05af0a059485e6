"""The parts of a report about moves of Go: phases, points, and boards where it was surely wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from beak.data.go_spec import POINT_NAMES, SIZE, GoSpec
from beak.runs.charts import percent, text
from beak.runs.evaluate import Evaluation, Mistake
from beak.runs.files import Array

if TYPE_CHECKING:
    from beak.data.dataset import Part

BOARDS = 12
"""Mistakes that are shown with their boards."""
PLACE = {name: point for point, name in enumerate(POINT_NAMES)}
LINES = "".join(f"M1 {i}H{SIZE}M{i} 1V{SIZE}" for i in range(1, SIZE + 1))
STARS = [(row, column) for row in (3, 9, 15) for column in (3, 9, 15)]


def go_sections(evaluation: Evaluation, part: Part | None, part_name: str) -> list[str]:
    """The sections in the order of the page."""
    return [
        _phases(evaluation, part_name),
        _points(evaluation, part_name),
        _mistakes(evaluation, part, part_name),
    ]


def _phases(evaluation: Evaluation, part_name: str) -> str:
    rows: list[tuple[str, int, float | None, float | None]] = [
        ("all moves", evaluation.examples, evaluation.accuracy, evaluation.top5)
    ]
    rows += [(s.name, s.examples, s.accuracy, s.top5) for s in evaluation.strata]
    if evaluation.averaged is not None:
        name = f"all moves, mean of {evaluation.averaged.views} symmetries"
        found = evaluation.averaged
        rows.insert(1, (name, evaluation.examples, found.accuracy, found.top5))
    cells = "".join(
        f'<tr><th scope="row">{text(name)}</th><td class="n">{count:,}</td>'
        f'<td class="n">{_share(right)}</td><td class="n">{_share(five)}</td></tr>'
        for name, count, right, five in rows
    )
    return (
        "<section><h2>How often it names the player's move</h2>"
        f'<p class="why">Positions of {text(part_name)} games, none of which was trained on. '
        "A player of 6 dan who was asked to guess named about every second one (Maddison et al., "
        "2015).</p>"
        '<div class="scroll"><table class="rows"><thead><tr><th></th><th class="n">Moves</th>'
        '<th class="n">First answer</th><th class="n">Among five</th></tr></thead>'
        f"<tbody>{cells}</tbody></table></div></section>"
    )


def _share(share: float | None) -> str:
    return "none" if share is None else percent(share)


def _points(evaluation: Evaluation, part_name: str) -> str:
    """A board whose points are as strong as the share of their moves that was named."""
    squares = []
    for score in evaluation.classes:
        point = PLACE.get(score.label)
        if point is None or score.recall is None:
            continue
        row, column = divmod(point, SIZE)
        said = f"{score.label}: {percent(score.recall)} of {score.support:,}"
        squares.append(
            f'<rect x="{column + 0.55}" y="{row + 0.55}" width=".9" height=".9" '
            f'fill="var(--right)" fill-opacity="{0.04 + 0.96 * score.recall:.2f}">'
            f"<title>{said}</title></rect>"
        )
    grid = f'<path d="{LINES}" style="stroke:var(--line);stroke-width:.04"/>'
    return (
        "<section><h2>Where it names the move</h2>"
        f'<p class="why">For each point, the share of the {text(part_name)} moves played there '
        "that were the first answer: the stronger the colour, the more.</p>"
        f'<svg viewBox="0 0 20 20" role="img" aria-label="share of moves named at each point" '
        f'style="max-width:420px">{grid}{"".join(squares)}</svg></section>'
    )


def _mistakes(evaluation: Evaluation, part: Part | None, part_name: str) -> str:
    if not evaluation.mistakes:
        said = f"Every one of the {evaluation.examples:,} {text(part_name)} moves was named."
        return f'<section><h2>Worst mistakes</h2><p class="why">{said}</p></section>'
    shown = evaluation.mistakes[:BOARDS]
    boards: list[Array | None] = [None] * len(shown)
    if part is not None:
        rows = np.asarray(part.inputs[np.array([m.index for m in shown])])
        boards = list(GoSpec.of("board").prepare(rows)[:, 0])
    figures = "".join(map(_figure, shown, boards))
    return (
        "<section><h2>Worst mistakes</h2>"
        '<p class="why">The wrong answers that the network was surest of: a ring where the player '
        "moved, a cross where the network expected it.</p>"
        '<div class="grid-of" style="grid-template-columns:repeat(auto-fill,minmax(220px,1fr))">'
        f"{figures}</div></section>"
    )


def _figure(mistake: Mistake, board: Array | None) -> str:
    drawn = "" if board is None else board_svg(board, mistake.label, mistake.predicted)
    return (
        f"<figure>{drawn}<figcaption><b>{text(mistake.label)}</b> was played, "
        f'<span class="got">{text(mistake.predicted)}</span> expected, '
        f"{percent(mistake.probability)} sure"
        f"<small><bdi>{text(mistake.name, 200)}</bdi></small></figcaption></figure>"
    )


def board_svg(board: Array, played: str, expected: str) -> str:
    """A board (19, 19) of 1 black, -1 white, 0 empty, with two moves marked."""
    grid = f'<path d="{LINES}" style="stroke:#7a5c28;stroke-width:.05"/>'
    stars = "".join(f'<circle cx="{c + 1}" cy="{r + 1}" r=".12"/>' for r, c in STARS)
    stones = "".join(
        f'<circle cx="{c + 1}" cy="{r + 1}" r=".46" '
        + ('fill="#111"/>' if board[r, c] > 0 else 'fill="#fff" stroke="#333" stroke-width=".05"/>')
        for r, c in np.argwhere(board)
    )
    marks = ""
    if played in PLACE:
        r, c = divmod(PLACE[played], SIZE)
        marks += (
            f'<circle cx="{c + 1}" cy="{r + 1}" r=".34" fill="none" stroke="#0b6b80" '
            'stroke-width=".2"/>'
        )
    if expected in PLACE:
        r, c = divmod(PLACE[expected], SIZE)
        marks += (
            f'<path d="M{c + 0.7} {r + 0.7}l.6 .6m0-.6l-.6 .6" '
            'style="stroke:#bf2717;stroke-width:.2"/>'
        )
    return (
        '<svg viewBox="0 0 20 20"><rect width="20" height="20" fill="#d8ae6a"/>'
        f'{grid}<g fill="#7a5c28">{stars}</g>{stones}{marks}</svg>'
    )
