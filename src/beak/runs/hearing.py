"""Sounds longer than one input: a window that moves along, over a file or over what comes in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from beak.data.sound_spec import SoundSpec
from beak.data.sounds import at_rate, recording_of
from beak.errors import BeakError
from beak.runs.predictor import Prediction, Predictor

Array = np.ndarray[Any, Any]

STEPS = 2
"""Windows that begin within one window's length, along a file."""
HARDLY = 0.05
"""What is quieter than this share of the recording's loudest window is nothing to answer for."""
SILENCE = "silence"
"""The label that a network has for it; see data/sound_source.py."""
STEP_SECONDS = 0.25
"""How often a microphone's last window is answered."""


@dataclass(frozen=True)
class Heard:
    """What is heard in a stretch of time."""

    begin: float
    """Seconds."""
    end: float
    label: str
    probability: float

    def to_json(self) -> dict[str, Any]:
        """As ``beak predict --json`` prints a stretch."""
        return {
            "begin": round(self.begin, 3), "end": round(self.end, 3),
            "label": self.label, "probability": self.probability,
        }  # fmt: skip


def spec_of(predictor: Predictor) -> SoundSpec:
    """How the network hears."""
    return cast(SoundSpec, predictor.model.spec)


def samples_of(predictor: Predictor, raw: Any) -> Array:
    """A recording at the network's rate, float32 (n,). Raises DataError."""
    spec = spec_of(predictor)
    found = recording_of(raw, spec.rate)
    return at_rate(found.samples, found.rate, spec.rate)


def timeline(predictor: Predictor, samples: Array) -> list[Heard]:
    """What is heard when, in samples (n,) at the network's rate.

    Windows half an input apart; each answers for the time around its middle, and neighbours with
    one label are one stretch, as sure as its surest window. Windows in whose middle hardly anything
    sounds are left out, but for networks that have a label for silence.
    """
    spec = spec_of(predictor)
    length, step = spec.samples, max(1, spec.samples // STEPS)
    count = max(1, -(-(len(samples) - length) // step) + 1)
    edge = (length - step) // 2
    kept = list(range(count))
    if SILENCE not in predictor.model.labels:
        loud = [_loudness(samples[i * step + edge : (i + 1) * step + edge]) for i in range(count)]
        kept = [i for i in kept if loud[i] >= HARDLY * max(loud)]
    windows = (samples[i * step : i * step + length] for i in kept)
    heard: list[Heard] = []
    for i, answer in zip(kept, _answers(predictor, windows), strict=True):
        begin = (i * step + edge) / spec.rate if i else 0.0
        end = ((i + 1) * step + edge) / spec.rate if i < count - 1 else len(samples) / spec.rate
        here = Heard(begin, end, answer.label, answer.probabilities[answer.label])
        if heard and heard[-1].label == here.label and heard[-1].end == begin:
            sure = max(heard[-1].probability, here.probability)
            heard[-1] = replace(heard[-1], end=end, probability=sure)
        else:
            heard.append(here)
    return heard


def _loudness(samples: Array) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0


def _answers(predictor: Predictor, windows: Iterable[Array]) -> Iterator[Prediction]:
    for _, answer in predictor.predict_many(windows):
        if isinstance(answer, BeakError):
            raise answer
        yield answer


class Listener:
    """Answers for sound that comes in blocks: every quarter of a second, for the last window.

    A window gives the very answer that it gives as a file of its own.
    """

    def __init__(self, predictor: Predictor, step: float = STEP_SECONDS) -> None:
        self.predictor = predictor
        self.spec = spec_of(predictor)
        self.step = max(1, round(step * self.spec.rate))
        self._kept = np.zeros(0, np.float32)
        self._heard = 0
        """Samples that came in all."""
        self._next = self.spec.samples

    def feed(self, block: Array) -> Iterator[Heard]:
        """The answers that a block (n,) of samples at the network's rate brings."""
        self._kept = np.concatenate([self._kept, np.asarray(block, np.float32)])
        self._heard += len(block)
        while self._heard >= self._next:
            end = len(self._kept) - (self._heard - self._next)
            window = self._kept[end - self.spec.samples : end]
            answer = self.predictor.predict(window)
            begin, stop = (self._next - self.spec.samples) / self.spec.rate, self._next
            probability = answer.probabilities[answer.label]
            yield Heard(begin, stop / self.spec.rate, answer.label, probability)
            self._next += self.step
        self._kept = self._kept[-self.spec.samples :]  # what the next windows can still need
