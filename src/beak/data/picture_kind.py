"""Pictures, and arrays of plain numbers, as a kind of input."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np

from beak.data.augment import Augmentation
from beak.data.dataset import Dataset
from beak.data.kinds import Kind
from beak.data.picture_augment import augmented
from beak.data.picture_spec import PictureSpec
from beak.data.pictures import SUFFIXES, load_raw
from beak.data.rows import Pixels
from beak.data.spec import InputSpec
from beak.data.wishes import Wishes

Array = np.ndarray[Any, Any]


class Pictures(Kind):
    """PNG, JPEG, GIF, BMP, WebP and TIFF files, and arrays."""

    name: ClassVar[str] = "pictures"
    one: ClassVar[str] = "picture"
    suffixes: ClassVar[frozenset[str]] = frozenset(SUFFIXES)
    spec_type: ClassVar[type[InputSpec]] = PictureSpec

    def load_raw(self, raw: Any, spec: InputSpec, name: str) -> tuple[Array, tuple[str, ...]]:
        """One picture as uint8 (C, H, W), fitted; see `beak.data.pictures.load_raw`."""
        return load_raw(raw, cast(PictureSpec, spec), name)

    def augmented(
        self,
        inputs: Pixels,
        chosen: Array,
        spec: InputSpec,
        augmentation: Augmentation,
        *,
        seed: int,
        epoch: int,
        threads: int = 1,
    ) -> Array:
        """Moved, turned, coloured and blanked; numbers stay as they are."""
        if spec.kind == "numbers":
            return spec.prepare(inputs[chosen])
        return augmented(
            inputs, chosen, cast(PictureSpec, spec), augmentation,
            seed=seed, epoch=epoch, threads=threads,
        )  # fmt: skip

    def read(self, source: Path, wishes: Wishes) -> Dataset:
        """Folders of class folders, tables, idx files, .npz."""
        from beak.data.picture_source import read

        return read(source, wishes)

    def built_in(self, name: str, wishes: Wishes) -> Dataset:
        """The digits that come with beak, MNIST, Fashion-MNIST, CIFAR-10."""
        from beak.data.picture_source import built_in

        return built_in(name, wishes)


KIND = Pictures()
