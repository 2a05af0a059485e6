"""What the microphone hears, block by block, at the rate that a network wants."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from beak.errors import BeakError, MissingExtraError

Array = np.ndarray[Any, Any]

PATIENCE = 2.0
"""Seconds without a block after which the stream is asked whether it still runs."""


def microphone(rate: int) -> Iterator[Array]:
    """Blocks of samples float32 (n,) at ``rate``, until whoever reads stops.

    A device that does not know the rate is opened at its own, and what comes is brought to it.
    Raises BeakError where there is no microphone, or where it goes away.
    """
    from beak.data.sounds import Resampler

    device = _library()
    try:
        own = _rate_of(device, rate)
        blocks: queue.Queue[Array] = queue.Queue()

        def take(block: Array, frames: int, time: Any, status: Any) -> None:
            blocks.put(block[:, 0].copy())

        resampler = Resampler(own, rate)
        stream: AbstractContextManager[Any] = device.InputStream(
            samplerate=own, channels=1, dtype="float32", callback=take
        )
        with stream as running:
            while True:
                try:
                    block = blocks.get(timeout=PATIENCE)
                except queue.Empty:
                    if not running.active:
                        raise BeakError("the microphone is gone; is it still plugged in?") from None
                    continue
                yield resampler.feed(block)
    except device.PortAudioError as error:
        raise BeakError(f"the microphone cannot be heard: {' '.join(str(error).split())}") from None


def _library() -> Any:
    try:
        import sounddevice
    except ImportError:
        raise MissingExtraError("--microphone", "sound") from None
    except OSError as error:
        raise BeakError(f"--microphone needs the library PortAudio: {error}") from None
    return sounddevice


def _rate_of(device: Any, wanted: int) -> int:
    """The wanted rate where the device knows it, else the device's own."""
    try:
        device.check_input_settings(samplerate=wanted, channels=1, dtype="float32")
    except device.PortAudioError:
        return round(float(device.query_devices(kind="input")["default_samplerate"]))
    return wanted
