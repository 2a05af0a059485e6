"""What ``beak predict`` was asked, whole, for the door of each kind of input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from beak.runs.model import Model
    from beak.runs.predictor import Predictor


@dataclass(frozen=True)
class Asked:
    """A network, inputs and options."""

    model: Model
    inputs: tuple[str, ...]
    top: int | None = None
    as_json: bool = False
    threads: int | None = None
    exact: bool = False
    microphone: bool = False
    move: int | None = None
    suggest: bool = False
    engine: str = "auto"
    device: str = "cpu"

    def predictor(self) -> Predictor:
        """What answers, as the options say."""
        from beak.runs.predictor import Predictor

        return Predictor(self.model, self.threads, self.engine, self.exact, self.device)
