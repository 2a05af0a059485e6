from __future__ import annotations

import itertools
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from beak.train.recipe import ScheduleRecipe
from beak.train.schedule import learning_rate


def rates(schedule, peak, steps):
    return [learning_rate(schedule, peak, step, steps) for step in range(steps)]


def torch_rates(make, peak, steps):
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=peak)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler = make(optimiser)
        seen = []
        for _ in range(steps):
            seen.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            scheduler.step() if len(seen) < steps else None
    return seen


@pytest.mark.parametrize(("steps", "warmup"), [(100, 0.3), (40, 0.25), (7, 0.5), (1000, 0.05)])
def test_one_cycle_is_torchs(steps, warmup):
    schedule = ScheduleRecipe("one-cycle", warmup=warmup, start=0.04, end=4e-6)
    wanted = torch_rates(
        lambda o: torch.optim.lr_scheduler.OneCycleLR(
            o, 0.02, total_steps=steps, pct_start=warmup, div_factor=25, final_div_factor=1e4,
            cycle_momentum=False,
        ), 0.02, steps,
    )  # fmt: skip
    assert rates(schedule, 0.02, steps) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(("steps", "warm"), [(100, 10), (50, 0), (20, 5)])
def test_cosine_with_warm_up_is_torchs(steps, warm):
    schedule = ScheduleRecipe("cosine", warmup=warm / steps, start=0.1, end=0.01)

    def make(optimiser):
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimiser, T_max=steps - warm, eta_min=0.5 * 0.01
        )
        if not warm:
            return cosine
        linear = torch.optim.lr_scheduler.LinearLR(optimiser, 0.1, total_iters=warm)
        return torch.optim.lr_scheduler.SequentialLR(optimiser, [linear, cosine], [warm])

    assert rates(schedule, 0.5, steps) == pytest.approx(torch_rates(make, 0.5, steps), rel=1e-9)


def test_constant_warms_up_and_stays():
    schedule = ScheduleRecipe("constant", warmup=0.2, start=0.5)
    assert rates(schedule, 1.0, 10) == [0.5, 0.75] + [1.0] * 8


@given(
    kind=st.sampled_from(["constant", "cosine", "one-cycle"]),
    warmup=st.floats(0, 1, exclude_max=True),
    start=st.floats(0, 1),
    end=st.floats(0, 1),
    steps=st.integers(1, 300),
)
def test_rates_rise_then_fall_and_stay_within_the_peak(kind, warmup, start, end, steps):
    seen = rates(ScheduleRecipe(kind, warmup, start, end), 0.1, steps)
    assert all(0 <= rate <= 0.1 * (1 + 1e-12) for rate in seen)
    top = seen.index(max(seen))
    assert all(a <= b + 1e-15 for a, b in itertools.pairwise(seen[: top + 1]))
    assert all(a >= b - 1e-15 for a, b in itertools.pairwise(seen[top:]))


def test_a_step_past_the_end_is_refused():
    with pytest.raises(ValueError, match="step 10 of 10"):
        learning_rate(ScheduleRecipe(), 0.1, 10, 10)
