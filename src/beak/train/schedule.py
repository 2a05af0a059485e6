r"""How the learning rate moves over a training.

Let *s* be the step (from 0), *n* the number of all steps, *p* the peak rate, *a* and *e* the
fractions of it at the start and at the end, *w* the fraction of the steps that warm up, and
cos(x, y, t) = y + (x - y) (1 + cos(pi t)) / 2, which goes from x at t = 0 to y at t = 1.

``constant``
    p, after a linear warm-up from a p over the first round(w n) steps.
``cosine``
    With u = round(w n): p (a + (1 - a) s / u) where s < u, then cos(p, e p, (s - u) / (n - u)).
    Loshchilov and Hutter, "SGDR", ICLR 2017, without restarts; as PyTorch's LinearLR followed
    by CosineAnnealingLR.
``one-cycle``
    With u = w n - 1: cos(a p, p, s / u) where s <= u, then cos(p, e p, (s - u) / (n - 1 - u)).
    Smith and Topin, "Super-convergence", 2018; as PyTorch's OneCycleLR with
    div_factor = 1 / a and final_div_factor = a / e, momentum left alone.
"""

from __future__ import annotations

import math

from beak.train.recipe import ScheduleRecipe


def learning_rate(schedule: ScheduleRecipe, peak: float, step: int, steps: int) -> float:
    """The rate of step ``step`` (from 0) of ``steps``; the module's text has the formulas.

    >>> schedule = ScheduleRecipe(kind="one-cycle", warmup=0.3, start=0.04)
    >>> [round(learning_rate(schedule, 0.01, step, 100), 6) for step in (0, 29, 99)]
    [0.0004, 0.01, 1e-06]
    """
    if not 0 <= step < steps:
        raise ValueError(f"step {step} of {steps}: steps count from 0 and end before {steps}")
    start, end = schedule.start * peak, schedule.end * peak
    if schedule.kind == "one-cycle":
        return _one_cycle(schedule.warmup, peak, start, end, step, steps)
    warm = round(schedule.warmup * steps)
    if step < warm:
        return start + (peak - start) * step / warm
    if schedule.kind == "constant":
        return peak
    return _cosine(peak, end, (step - warm) / (steps - warm))


def _one_cycle(
    warmup: float, peak: float, start: float, end: float, step: int, steps: int
) -> float:
    top = warmup * steps - 1
    if top <= 0:  # a warm-up of less than two steps: the fall alone
        return _cosine(peak, end, step / max(steps - 1, 1))
    if step <= top:
        return _cosine(start, peak, step / top)
    return _cosine(peak, end, (step - top) / (steps - 1 - top)) if steps - 1 > top else peak


def _cosine(begin: float, end: float, part: float) -> float:
    return end + (begin - end) * (1 + math.cos(math.pi * part)) / 2
