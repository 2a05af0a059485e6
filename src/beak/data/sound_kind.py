"""Sounds as a kind of input."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np

from beak.data.augment import Augmentation
from beak.data.dataset import Dataset
from beak.data.kinds import Kind
from beak.data.rows import Pixels
from beak.data.sound_spec import SoundSpec
from beak.data.sounds import SUFFIXES, load_raw
from beak.data.spec import InputSpec
from beak.data.wishes import Wishes

Array = np.ndarray[Any, Any]

DYNAMICS = 9.0
"""From black to white in a picture of a spectrogram, in steps of the natural logarithm: 39 dB."""


class Sounds(Kind):
    """Recordings: wav, flac, ogg and mp3 files, and arrays of samples."""

    name: ClassVar[str] = "sounds"
    one: ClassVar[str] = "sound"
    suffixes: ClassVar[frozenset[str]] = SUFFIXES
    spec_type: ClassVar[type[InputSpec]] = SoundSpec

    def load_raw(self, raw: Any, spec: InputSpec, name: str) -> tuple[Array, tuple[str, ...]]:
        """One recording as int16 (samples,); see `beak.data.sounds.load_raw`."""
        return load_raw(raw, cast(SoundSpec, spec), name)

    def sound(self, row: Array, spec: InputSpec) -> bytes | None:
        """A 16-bit wav file of what the network heard."""
        from beak.data.sounds import wav

        return wav(row, cast(SoundSpec, spec).rate)

    def drawn(self, row: Array, spec: InputSpec) -> Array | None:
        """Its log-mel spectrogram, time to the right, low bands at the bottom, loud white."""
        sounds = cast(SoundSpec, spec)
        made = sounds.spectrogram(row[None])[0].T[::-1]
        shown = (made - made.max() + DYNAMICS) / DYNAMICS
        return np.asarray(np.rint(255 * np.clip(shown, 0, 1)), np.uint8)[None]

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
        """Moved in time, faster or slower, louder or quieter, with noise, partly masked."""
        from beak.data.sound_augment import augmented

        return augmented(
            inputs, chosen, cast(SoundSpec, spec), augmentation,
            seed=seed, epoch=epoch, threads=threads,
        )  # fmt: skip

    def read(self, source: Path, wishes: Wishes) -> Dataset:
        """Folders of class folders, tables, lists as Speech Commands has them."""
        from beak.data.sound_source import read

        return read(source, wishes)

    def built_in(self, name: str, wishes: Wishes) -> Dataset:
        """Free Spoken Digits, Speech Commands."""
        from beak.data.sound_source import built_in

        return built_in(name, wishes)


KIND = Sounds()
