"""The moving line: rate, time left, width."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beak.cli.meter import Meter, bar


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def event(epoch: int, step: int, steps: int = 10, loss: float = 0.5) -> dict[str, object]:
    return {"event": "step", "epoch": epoch, "step": step, "steps": steps, "loss": loss}


def test_rate_and_time_left_of_a_steady_training():
    clock = Clock()
    meter = Meter(epochs=4, examples=1000, clock=clock)
    for step in range(1, 11):
        clock.seconds += 0.5
        meter.step(event(1, step))
    assert meter.rate == pytest.approx(200)  # 100 pictures in half a second
    assert meter.seconds_left() == pytest.approx(15)  # three epochs of 5 seconds
    said = meter.line(100).plain
    assert said.startswith(" epoch 1/4 ━")
    assert said.endswith("loss 0.500  200 pictures/s  0:15 left")


def test_time_left_after_a_resume_counts_only_what_was_done_since():
    clock = Clock()
    meter = Meter(epochs=10, examples=1000, clock=clock)
    meter.step(event(9, 5))
    assert meter.seconds_left() is None
    clock.seconds = 5
    meter.step(event(10, 5))
    assert meter.seconds_left() == pytest.approx(2.5)


def test_a_changed_speed_shows_within_seconds():
    clock = Clock()
    meter = Meter(epochs=100, examples=1000, clock=clock)
    for step in range(1, 11):
        clock.seconds += 0.1
        meter.step(event(1, step))
    for step in range(1, 11):
        clock.seconds += 1.0
        meter.step(event(2, step))
    assert meter.rate == pytest.approx(100, rel=0.05)


@given(st.floats(0, 1), st.integers(6, 60))
def test_the_bar_is_as_wide_as_asked_and_as_full_as_the_share(share, width):
    drawn = bar(share, width).plain
    assert len(drawn) == width
    filled = drawn.count("━") + 0.5 * drawn.count("╸")
    assert abs(filled - share * width) <= 0.25 + 1e-9


@given(st.integers(60, 200), st.integers(1, 10), st.floats(0, 1))
def test_the_line_fits_the_terminal(width, step, accuracy):
    clock = Clock()
    meter = Meter(epochs=100, examples=60_000, clock=clock)
    for moment in range(1, step + 1):
        clock.seconds += 0.01
        meter.step({**event(87, moment), "accuracy": accuracy})
    assert meter.line(width).cell_len <= max(width, 76)
