"""Which epochs' weights a run keeps, to look at later how the network came to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from beak.data.dataset import Dataset
from beak.network.network import Network
from beak.runs.directory import RunDirectory
from beak.runs.files import Array
from beak.runs.model import Model, save_model
from beak.train.recipe import Recipe

MOST_BYTES = 32 << 20
"""That the kept weights of a run may take together."""


def kept_epochs(epochs: int, most: int, size: int) -> tuple[int, ...]:
    """The epochs whose weights are kept: before the first, then further and further apart.

    ``most``: how many at most; ``size``: bytes of one. The last epoch's are the model itself.

    >>> kept_epochs(20, 8, 600_000)
    (0, 1, 2, 4, 8, 16)
    >>> kept_epochs(20, 3, 600_000), kept_epochs(20, 8, 20 << 20), kept_epochs(20, 8, 40 << 20)
    ((0, 2, 16), (0,), ())
    """
    found = [0] + [1 << k for k in range(epochs.bit_length()) if 1 << k < epochs]
    count = min(most, MOST_BYTES // max(1, size), len(found))
    if count < 2:
        return tuple(found[:count])
    return tuple(found[round(k * (len(found) - 1) / (count - 1))] for k in range(count))


@dataclass(frozen=True)
class Keeper:
    """Writes the weights of the epochs that are kept into a run directory."""

    directory: RunDirectory
    epochs: frozenset[int]
    network: Network
    dataset: Dataset
    info: Mapping[str, Any]

    @classmethod
    def made(
        cls, directory: RunDirectory, recipe: Recipe, network: Network, dataset: Dataset, name: str
    ) -> Keeper:
        """As the recipe says."""
        size = 4 * network.parameter_count
        epochs = frozenset(kept_epochs(recipe.epochs, recipe.keep_epochs, size))
        info = {"name": dataset.name, "network": name, "seed": recipe.seed}
        return cls(directory, epochs, network, dataset, info)

    def __call__(self, epoch: int, weights: dict[str, Array]) -> None:
        """Keep the weights after this epoch, where they are to be kept."""
        if epoch not in self.epochs:
            return
        path = self.directory.epoch_path(epoch)
        path.parent.mkdir(exist_ok=True)
        spec, labels = self.dataset.spec, self.dataset.labels
        save_model(path, Model(self.network, spec, labels, weights, {**self.info, "epochs": epoch}))
