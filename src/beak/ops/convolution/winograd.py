"""Which Winograd kernel takes a convolution, and how its work is cut: pure sums about shapes."""

from __future__ import annotations

from beak.ops.panels import PANEL, padded


def filter_stride(terms: int) -> int:
    """Floats of a panel's transformed filters at one frequency: an odd number of cache lines."""
    return (terms | 1) * PANEL


def prepared_floats(m: int, terms: int, outputs: int) -> int:
    """Floats that ``winograd{m}_prepare`` writes for ``outputs`` filters of ``terms`` channels.

    For the input gradient (``turned``) the terms are the filters and the outputs the channels.
    """
    return padded(outputs) // PANEL * (m + 2) ** 2 * filter_stride(terms)
