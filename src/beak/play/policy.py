"""A trained network as a policy: boards into planes, planes into probabilities of moves."""

from __future__ import annotations

from typing import Any

import numpy as np

from beak.errors import UsageError
from beak.ops.go_board.boards import Boards
from beak.ops.go_board.games import planes_of_boards
from beak.ops.go_board.symmetry import SYMMETRIES, turned_points
from beak.runs.evaluate import log_softmax
from beak.runs.model import Model
from beak.runs.predictor import Predictor

Array = np.ndarray[Any, Any]


class NetworkPolicy:
    """The policy of a network that was trained on Go games."""

    def __init__(
        self,
        model: Model,
        *,
        threads: int | None = None,
        average: bool = False,
        exact: bool = False,
    ) -> None:
        """``average``: each position is asked in all eight symmetries. Raises UsageError.

        ``threads`` and ``exact`` are as for ``runs.predictor.Predictor``.
        """
        self.planes, self.size = planes_of(model)
        self.name = model.name
        self._threads = threads or 1
        self._engine = Predictor(model, threads, exact=exact).engine
        self._symmetries = range(SYMMETRIES if average else 1)

    def __call__(self, boards: Boards) -> Array:
        """Probabilities for the player to move: float64 (N, points + 1), the pass last."""
        if boards.size != self.size:
            raise UsageError(
                f"{self.name} plays on {self.size}x{self.size}, not on {boards.size}x{boards.size}"
            )
        found = np.zeros((len(boards), boards.points + 1))
        for symmetry in self._symmetries:
            planes = planes_of_boards(boards, self.planes, symmetry=symmetry, threads=self._threads)
            shares = np.exp(log_softmax(self._engine.logits(planes)))
            turned = turned_points(boards.size, symmetry)[: shares.shape[1]]
            found[:, : shares.shape[1]] += shares[:, turned]
        return found / len(self._symmetries)


def planes_of(model: Model) -> tuple[str, int]:
    """Which set of planes a model reads, and on how many lines. UsageError for no Go network."""
    spec: Any = model.spec
    if spec.kind != "go":
        raise UsageError(
            f"{model.name} was trained on {spec.kind}; beak play wants a network trained on Go "
            "games: beak train go-demo"
        )
    return str(spec.planes), int(spec.shape[-1])
