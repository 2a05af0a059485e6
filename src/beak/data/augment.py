"""Seeing each input a little differently in every epoch: how far, for every kind of input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from beak.errors import RecipeError, did_you_mean

OUTSIDE = ("background", "edge")


def change(kind: str, default: Any = 0.0, most: float = 1.0) -> Any:
    """A field for inputs of one kind: a share from 0 to ``most``, a switch, or a word."""
    return field(default=default, metadata={"kind": kind, "most": most})


@dataclass(frozen=True)
class Augmentation:
    """How far each input is changed at most; every field at 0 changes nothing.

    >>> Augmentation().none, Augmentation(shift=0.1).none
    (True, False)
    """

    shift: float = change("pictures")
    """Moved by up to this share of its side, each way; by whole pixels if it is all."""
    rotate: float = change("pictures", most=180.0)
    """Turned by up to this many degrees, either way."""
    scale: float = change("pictures", most=3.0)
    """Made larger or smaller by up to this share: 0.1 is from 1/1.1 to 1.1 times."""
    stretch: float = change("pictures", most=3.0)
    """Width against height changed by up to this share."""
    shear: float = change("pictures", most=60.0)
    """Slanted by up to this many degrees, either way."""
    crop: float = change("pictures", most=0.9)
    """Cut down by up to this share of its side, anywhere, and enlarged to full size again."""
    flip: bool = change("pictures", False)
    """Mirrored left to right, every second time."""
    flip_vertical: bool = change("pictures", False)
    """Mirrored top to bottom, every second time."""
    brightness: float = change("pictures")
    """All values moved by up to this share of white."""
    contrast: float = change("pictures", most=3.0)
    """Differences from middle grey multiplied by up to 1 + this, or divided."""
    saturation: float = change("pictures", most=3.0)
    """Colours multiplied by up to 1 + this, or divided; nothing for grey pictures."""
    erase: float = change("pictures")
    """Every second time a rectangle with sides up to this share is blanked."""
    outside: str = change("pictures", "background")
    """What is seen beyond the picture: "background" (the InputSpec's) or "edge" (it goes on)."""
    drop_words: float = change("texts")
    """Each word taken for an unknown one with this probability."""

    time_shift: float = change("sounds")
    """Moved in time by up to this share of its length, each way."""
    gain: float = change("sounds", most=40.0)
    """Made louder or quieter by up to so many decibels."""
    speed: float = change("sounds")
    """Faster and higher, or slower and lower, by up to this share: 0.1 is from 1/1.1 to 1.1."""
    warp: float = change("sounds")
    """Frequencies stretched or pressed by up to this share, the pace kept: other speakers."""
    tone: float = change("sounds", most=40.0)
    """Bands made louder or quieter by up to so many decibels, smoothly: other microphones."""
    noise: float = change("sounds", most=10.0)
    """Background noise of up to this share of the sound's own loudness."""
    mask_time: float = change("sounds", most=0.9)
    """A stretch of up to this share of the frames is blanked."""
    mask_bands: float = change("sounds", most=0.9)
    """A stretch of up to this share of the mel bands is blanked."""

    symmetries: bool = change("go", False)
    """Boards turned and mirrored in all eight ways, their moves with them."""

    def __post_init__(self) -> None:
        for made in fields(self):
            value, most = getattr(self, made.name), made.metadata["most"]
            if isinstance(made.default, str):
                if value not in OUTSIDE:
                    hint = did_you_mean(str(value), OUTSIDE)
                    raise RecipeError(f"augmentation: no {made.name} {value!r}{hint}")
            elif isinstance(made.default, bool):
                if not isinstance(value, bool):
                    raise RecipeError(f"augmentation: {made.name} is true or false, not {value!r}")
            elif isinstance(value, bool) or not isinstance(value, int | float):
                raise RecipeError(f"augmentation: {made.name} must be a number, not {value!r}")
            elif not 0 <= value <= most:
                raise RecipeError(f"augmentation: {made.name} {value} is not from 0 to {most:g}")

    @property
    def none(self) -> bool:
        """Whether nothing is changed."""
        return not any(
            getattr(self, made.name) for made in fields(self) if not isinstance(made.default, str)
        )

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values; ``from_json`` gives the same augmentation back."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Augmentation:
        """From ``to_json``'s dict; unknown keys and values out of range raise RecipeError."""
        known = [f.name for f in fields(Augmentation)]
        for name in data:
            if name not in known:
                raise RecipeError(f"augmentation: no {name!r}{did_you_mean(str(name), known)}")
        return Augmentation(**data)
