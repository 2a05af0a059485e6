"""What kind of pictures these are, from a sample: size, channels, proportions, ground."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from beak.data.picture_spec import PictureSpec
from beak.data.report import NOTE, SUMMARY, Finding

Array = np.ndarray[Any, Any]

SAMPLE = 256
"""How many pictures are looked at."""
SMALL = 64
"""Sets whose median side is at most this keep their size."""
PHOTOGRAPH_SIDE = 64
"""Larger pictures are brought to a square of this side."""
LARGE_PHOTOGRAPH_SIDE, LARGE_SIZE, MANY = 96, 256, 8000
"""… or of this side, where the median side is at least 256 pixels and there are enough examples
for a network that sees more to be worth its time."""


@dataclass(frozen=True)
class Survey:
    """What a sample of pictures looks like."""

    pictures: int
    heights: tuple[int, int, int]
    """Least, median, greatest."""
    widths: tuple[int, int, int]
    proportions: tuple[float, float]
    """Width over height: the 5th and the 95th of a hundred."""
    colour: bool
    alpha: bool
    border: int
    """The median value along the pictures' edges."""
    plain_border: bool
    """Whether nearly all edge pixels have nearly that value."""

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        return asdict(self)

    @staticmethod
    def from_json(data: Any) -> Survey:
        """From ``to_json``'s dict; raises TypeError or KeyError for anything else."""
        pairs: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in dict(data).items()
        }
        return Survey(**pairs)


def look_at(pictures: Iterable[Array]) -> Survey:
    """Survey decoded pictures uint8 (H, W, 1, 3 or 4)."""
    sizes, edges, colour, alpha = [], [], False, False
    for pixels in pictures:
        sizes.append(pixels.shape[:2])
        alpha |= pixels.shape[2] == 4
        shown = pixels[:, :, :3]
        colour |= pixels.shape[2] >= 3 and bool(np.ptp(shown.astype(np.int16), axis=2).max() > 3)
        line = np.concatenate([shown[0], shown[-1], shown[:, 0], shown[:, -1]]).reshape(-1)
        edges.append(line[:: max(1, len(line) // 256)])
    if not sizes:
        return Survey(0, (0, 0, 0), (0, 0, 0), (1.0, 1.0), False, False, 0, False)
    heights, widths = np.array(sizes).T
    edge = np.concatenate(edges)
    border = int(np.median(edge))
    plain = float((np.abs(edge.astype(np.int16) - border) <= 24).mean()) >= 0.85
    low, high = np.percentile(widths / heights, [5, 95])
    return Survey(
        len(sizes),
        (int(heights.min()), int(np.median(heights)), int(heights.max())),
        (int(widths.min()), int(np.median(widths)), int(widths.max())),
        (round(float(low), 3), round(float(high), 3)),
        colour,
        alpha,
        border,
        plain,
    )


def choose_spec(
    survey: Survey,
    examples: int,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    fit: str | None = None,
) -> tuple[PictureSpec, list[Finding]]:
    """The input that suits these pictures (mean and std are not known yet), and why."""
    height, width = (size, size) if isinstance(size, int) else size or _size(survey, examples)
    colours = channels or (3 if survey.colour else 1)
    chosen = fit or _fit(survey)
    background = 255 if survey.colour and chosen != "pad" else survey.border
    if survey.alpha or survey.plain_border:
        background = 255 if survey.alpha else survey.border
    spec = PictureSpec(
        "pictures", (colours, height, width), chosen, background, (0.5,) * colours, (0.5,) * colours
    )
    seen = f"{_range(survey.widths)} wide, {_range(survey.heights)} high"
    colour = "colour" if survey.colour else "grey"
    findings = [
        Finding(NOTE, f"pictures: {colour}, {seen}"),
        Finding(SUMMARY, f"input: {spec.describe()}"),
    ]
    if fit is None and chosen != "stretch" and survey.proportions[0] != survey.proportions[1]:
        findings.append(
            Finding(NOTE, f"fit {chosen}: the proportions differ too much for stretching")
        )
    return spec, findings


def _range(values: tuple[int, int, int]) -> str:
    least, median, most = values
    return f"{least}" if least == most else f"{least} to {most} (median {median})"


def _size(survey: Survey, examples: int) -> tuple[int, int]:
    height, width = survey.heights[1], survey.widths[1]
    if max(height, width) <= SMALL:
        if survey.heights[0] == survey.heights[2] and survey.widths[0] == survey.widths[2]:
            return max(1, height), max(1, width)
        side = max(8, round((height + width) / 2))
        return side, side
    large = min(height, width) >= LARGE_SIZE and examples >= MANY
    side = LARGE_PHOTOGRAPH_SIDE if large else PHOTOGRAPH_SIDE
    return side, side


def _fit(survey: Survey) -> str:
    """Stretching keeps all of a picture and harms little while the proportions are alike."""
    low, high = survey.proportions
    return "stretch" if high <= 3 * low and low >= 1 / 3 and high <= 3 else "pad"
