"""The eight symmetries of the board: of points, moves and planes.

Symmetry s of 0..7 first swaps rows and columns if s has 4, then turns the rows round if it has 2,
then the columns if it has 1. 0 changes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

SYMMETRIES = 8
INVERSE = (0, 1, 2, 3, 4, 6, 5, 7)
"""Which symmetry undoes each."""


def turn_planes(planes: Array, symmetry: int) -> Array:
    """Planes (..., size, size) turned by one symmetry: a view where NumPy can.

    >>> turn_planes(np.arange(4).reshape(2, 2), 5).tolist()
    [[2, 0], [3, 1]]
    """
    if symmetry & 4:
        planes = np.swapaxes(planes, -1, -2)
    if symmetry & 2:
        planes = np.flip(planes, -2)
    if symmetry & 1:
        planes = np.flip(planes, -1)
    return planes


def turned_points(size: int, symmetry: int) -> Array:
    """Where every point goes, and the pass, which stays: int64 (size * size + 1,)."""
    came_from = turn_planes(np.arange(size * size).reshape(size, size), symmetry).ravel()
    goes_to = np.empty(size * size + 1, np.int64)
    goes_to[came_from] = np.arange(size * size)
    goes_to[-1] = size * size
    return goes_to


def turn_moves(moves: Array, size: int, symmetry: int) -> Array:
    """Points, passes too, turned with the board.

    >>> turn_moves(np.array([0, 1, 4]), 2, 5).tolist()
    [1, 3, 4]
    """
    turned: Array = turned_points(size, symmetry)[np.asarray(moves)]
    return turned
