"""One sound file as samples: mono, at the network's rate, at the network's length."""

from __future__ import annotations

import hashlib
import io
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from beak.data.limits import limits
from beak.data.plain import Stretch, open_plain
from beak.data.sound_spec import FULL, SoundSpec
from beak.data.wav import plain_samples, wav_head
from beak.errors import BeakError, DataError, MissingExtraError, TooLargeError

Array = np.ndarray[Any, Any]

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au"})
BLOCK = 1 << 18
HEAD = 1 << 12
SMALL = 1 << 22
"""Bytes of a file that are read at once."""
FEWEST_HERTZ, MOST_HERTZ = 100, 1_000_000


@dataclass(frozen=True)
class Recording:
    """A decoded sound."""

    samples: Array
    """float32 (n,), from -1 to 1: the mean of all channels."""
    rate: int
    notes: tuple[str, ...] = ()

    def content_hash(self) -> bytes:
        """16 bytes, the same for the same samples whatever file holds them."""
        digest = hashlib.blake2b(str(self.rate).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(self.samples).data)
        return digest.digest()


def decode(source: Path | Stretch | bytes, name: str) -> Recording:
    """Decode a wav, flac, ogg or mp3 file. Raises DataError, one line with ``name``."""
    soundfile = reader()
    try:
        with _opened(source) as file:
            start = file.read(SMALL)
            plain = plain_samples(start) if len(start) < SMALL else None
            if (
                plain is not None
                and plain[1] >= FEWEST_HERTZ
                and len(plain[0]) < limits().seconds * plain[1]
            ):
                return _checked(name, _mean(plain[0]), plain[1], plain[0].shape[1])
            head = wav_head(start)
            file.seek(0)
            with soundfile.SoundFile(file) as sound:
                return _read(sound, name, head.promised if head else None)
    except soundfile.LibsndfileError as error:
        why = " ".join(str(error.error_string).split()).rstrip(".")
        raise DataError(f"{name}: no sound file that can be read ({why})") from None
    except OSError as error:
        raise DataError(f"{name}: cannot be read ({error.strerror or error})") from None
    except (RuntimeError, ValueError, TypeError) as error:
        raise DataError(f"{name}: no sound file that can be read ({error})") from None


def rate_and_seconds(path: Path | Stretch) -> tuple[int, float] | None:
    """What a file's header says; None where it cannot be read or says nothing."""
    try:
        with open_plain(path) as file:
            head = wav_head(file.read(HEAD))
            if head and head.promised and 0 < head.rate <= MOST_HERTZ:
                there = min(head.size, file.seek(0, os.SEEK_END) - head.begin)
                return head.rate, there // head.frame / head.rate
            file.seek(0)
            info = reader().info(file)
    except (OSError, RuntimeError, ValueError, TypeError):
        return None
    known = info.samplerate > 0 and info.frames > 0
    return (int(info.samplerate), info.frames / info.samplerate) if known else None


def reader() -> Any:
    """The library that reads sound files, or BeakError with how to get it."""
    try:
        import soundfile
    except ImportError:
        raise MissingExtraError("reading sounds", "sound") from None
    except OSError as error:
        raise BeakError(f"sounds need the library libsndfile: {error}") from None
    return soundfile


def _opened(source: Path | Stretch | bytes) -> IO[bytes]:
    return io.BytesIO(source) if isinstance(source, bytes) else open_plain(source)


def _read(sound: Any, name: str, promised: int | None) -> Recording:
    rate, channels = int(sound.samplerate), int(sound.channels)
    if not FEWEST_HERTZ <= rate <= MOST_HERTZ:
        raise DataError(f"{name}: its header says {rate} samples a second; it must be damaged")
    pieces, left = [], round(limits().seconds * rate)
    while left > 0:
        block = sound.read(min(max(1, BLOCK // channels), left), "float32", always_2d=True)
        if not len(block):
            break
        pieces.append(_mean(block))
        left -= len(block)
    samples = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    if not len(samples):
        raise DataError(f"{name}: it holds no samples")
    if promised is not None and promised > len(samples) and left > 0:
        raise DataError(
            f"{name}: its header promises {promised:,} samples, {len(samples):,} are there; it was "
            "cut short"
        )
    return _checked(name, samples, rate, channels, cut=left <= 0)


def _mean(channels: Array) -> Array:
    return np.asarray(channels[:, 0] if channels.shape[1] == 1 else channels.mean(axis=1))


def _checked(name: str, samples: Array, rate: int, channels: int, cut: bool = False) -> Recording:
    if not np.isfinite(samples).all():
        at = int((~np.isfinite(samples)).argmax()) / rate
        raise DataError(f"{name}: it holds NaN or infinity, first at {at:.3f} s")
    notes = [] if channels == 1 else [f"{channels} channels: their mean is used"]
    if cut:
        notes.append(_too_long(name))
    return Recording(samples.astype(np.float32, copy=False), rate, tuple(notes))


def _too_long(name: str) -> str:
    """The note that a recording was cut; TooLargeError where it is not to be."""
    if not limits().cut:
        most = f"{limits().seconds:g} seconds"
        raise TooLargeError(f"{name}: longer than {most}; cut it into pieces")
    return f"longer than {limits().seconds / 60:.0f} minutes: the rest is left out"


def at_rate(samples: Array, rate: int, wanted: int) -> Array:
    """Samples at another rate, float32."""
    if rate == wanted:
        return samples
    return np.asarray(_soxr().resample(samples, rate, wanted, quality="HQ"), np.float32)


class Resampler:
    """Samples that come in blocks, brought to another rate: together as `at_rate` of all of them,
    but that the last milliseconds wait for what follows.
    """

    def __init__(self, rate: int, wanted: int) -> None:
        same = rate == wanted
        self._stream = None if same else _soxr().ResampleStream(rate, wanted, 1, quality="HQ")

    def feed(self, samples: Array) -> Array:
        """What is known after these samples (n,): float32, perhaps nothing yet."""
        samples = np.asarray(samples, np.float32)
        if self._stream is None:
            return samples
        return np.asarray(self._stream.resample_chunk(samples), np.float32)


def _soxr() -> Any:
    try:
        import soxr
    except ImportError:
        raise MissingExtraError("reading sounds", "sound") from None
    return soxr


def fit(samples: Array, spec: SoundSpec) -> Array:
    """Samples (n,) at the network's rate as one stored row int16 (spec.samples,).

    Shorter ones stand in the middle of silence, of longer ones the loudest stretch is taken.
    """
    size, wanted = len(samples), spec.samples
    out = np.zeros(wanted, np.int16)
    if size <= wanted:
        first = (wanted - size) // 2
        out[first : first + size] = stored(samples)
        return out
    first = loudest(samples, wanted, spec.hop)
    out[:] = stored(samples[first : first + wanted])
    return out


def loudest(samples: Array, length: int, hop: int) -> int:
    """Where the stretch of ``length`` samples with the most power begins, in steps of ``hop``."""
    sums = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    starts = np.arange(0, len(samples) - length + 1, hop)
    return int(starts[np.argmax(sums[starts + length] - sums[starts])])


def stored(samples: Array) -> Array:
    """Samples from -1 to 1 as whole numbers int16; what is louder is cut off."""
    return np.clip(np.rint(samples * FULL), -FULL, FULL - 1).astype(np.int16)


def load_raw(raw: Any, spec: SoundSpec, name: str = "sound") -> tuple[Array, tuple[str, ...]]:
    """One sound as a stored row int16 (samples,), and notes.

    ``raw``: a path, a file's bytes, a Recording, an array (n,) or (n, channels) of samples at the
    network's rate, or a pair (array, rate). Raises DataError.
    """
    found = recording_of(raw, spec.rate, name)
    samples = at_rate(found.samples, found.rate, spec.rate)
    notes = list(found.notes)
    if len(samples) > 1.05 * spec.samples:
        seconds = len(samples) / spec.rate
        notes.append(f"{seconds:.1f} s long: the loudest {spec.seconds:.1f} s are heard")
    if not len(samples):
        raise DataError(f"{name}: it is too short for {spec.rate} samples a second")
    return fit(samples, spec), tuple(notes)


def recording_of(raw: Any, rate: int, name: str = "sound") -> Recording:
    """A path, bytes, an array or a pair (array, rate) as a recording; ``rate``: an array's."""
    if isinstance(raw, Recording):
        return raw
    if isinstance(raw, str | Path):
        return decode(Path(raw), str(raw))
    if isinstance(raw, bytes | bytearray | memoryview):
        return decode(bytes(raw), name)
    if isinstance(raw, tuple) and len(raw) == 2:
        raw, rate = raw[0], int(raw[1])
    values = np.asarray(raw)
    if values.dtype.kind not in "if" or values.ndim not in (1, 2) or not values.size:
        raise DataError(f"{name}: {values.dtype} {values.shape} are no samples (n,) of a sound")
    top = float(np.iinfo(values.dtype).max) + 1 if values.dtype.kind == "i" else 1.0
    samples = values.astype(np.float32) / np.float32(top)
    if samples.ndim == 2:
        samples = samples.mean(axis=int(samples.shape[1] <= samples.shape[0]))
    if not np.isfinite(samples).all():
        raise DataError(f"{name}: it holds NaN or infinity")
    if not FEWEST_HERTZ <= rate <= MOST_HERTZ:
        raise DataError(f"{name}: {rate} samples a second cannot be a sound's rate")
    return Recording(np.ascontiguousarray(samples), rate)


def wav(row: Array, rate: int) -> bytes:
    """A stored row int16 (n,) as a wav file: 44 bytes of head, then the samples."""
    data = np.ascontiguousarray(row, "<i2").tobytes()
    form = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
    head = (
        b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data))
    )
    return b"RIFF" + struct.pack("<I", len(head) + len(data)) + head + data
