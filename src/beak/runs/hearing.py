"""Sounds longer than one input: a window that moves along, over a file or over what comes in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from beak.data.sound_spec import SoundSpec
from beak.data.sounds import at_rate, recording_of
from beak.errors import BeakError
from beak.runs.model import Model
from beak.runs.predictor import Prediction, Predictor

Array = np.ndarray[Any, Any]

LONG = 2.0
"""A recording so many times as long as an input gets a time line."""
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


def spec_of(model: Model) -> SoundSpec:
    """How the network hears."""
    return cast(SoundSpec, model.spec)


def samples_of(model: Model, raw: Any) -> Array:
    """A recording at the network's rate, float32 (n,). Raises DataError."""
    spec = spec_of(model)
    found = recording_of(raw, spec.rate)
    return at_rate(found.samples, found.rate, spec.rate)


def timeline(predictor: Predictor, samples: Array) -> list[Heard]:
    """What is heard when, in samples (n,) at the network's rate.

    Windows half an input apart; each answers for the time around its middle, and neighbours with
    one label are one stretch, as sure as its surest window. Windows in whose middle hardly anything
    sounds are left out, but for networks that have a label for silence.
    """
    windows = Windows(samples, spec_of(predictor.model), SILENCE in predictor.model.labels)
    return windows.heard(_answers(predictor, windows))


class Windows:
    """A recording cut up for a time line; see `timeline`."""

    def __init__(self, samples: Array, spec: SoundSpec, silence: bool) -> None:
        """``silence``: the network has a label for it, so that quiet windows are answered too."""
        self.samples, self.spec = samples, spec
        self.step = max(1, spec.samples // STEPS)
        self.count = max(1, -(-(len(samples) - spec.samples) // self.step) + 1)
        self.edge = (spec.samples - self.step) // 2
        self.kept = list(range(self.count))
        """The numbers of the windows that are answered."""
        if not silence:
            loud = [_loudness(self._middle(i)) for i in range(self.count)]
            self.kept = [i for i in self.kept if loud[i] >= HARDLY * max(loud)]

    def _middle(self, number: int) -> Array:
        begin = number * self.step + self.edge
        return self.samples[begin : begin + self.step]

    def __iter__(self) -> Iterator[Array]:
        for i in self.kept:
            yield self.samples[i * self.step : i * self.step + self.spec.samples]

    def heard(self, answers: Iterable[Prediction]) -> list[Heard]:
        """The stretches of time, from an answer for each window."""
        heard: list[Heard] = []
        for i, answer in zip(self.kept, answers, strict=True):
            last = i == self.count - 1
            begin = (i * self.step + self.edge) / self.spec.rate if i else 0.0
            end = len(self.samples) if last else (i + 1) * self.step + self.edge
            here = Heard(begin, end / self.spec.rate, answer.label, answer.sure)
            if heard and heard[-1].label == here.label and heard[-1].end == begin:
                sure = max(heard[-1].probability, here.probability)
                heard[-1] = replace(heard[-1], end=here.end, probability=sure)
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
        self.spec = spec_of(predictor.model)
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
            yield Heard(begin, stop / self.spec.rate, answer.label, answer.sure)
            self._next += self.step
        self._kept = self._kept[-self.spec.samples :]  # what the next windows can still need
