"""Weights in panels of 16 outputs, as the kernels of convolution and dense layers read them.

The layout is [groups][outputs / 16][K][16], K in the order (height, width, channels), the last
panel of a group padded with zeros (tile.h).
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
PANEL = 16


def padded(n: int) -> int:
    """The least multiple of a panel's width that is not below n."""
    return -(-n // PANEL) * PANEL


def to_panels(weights: Array, groups: int = 1) -> Array:
    """(F, C/groups, h, w) -> (groups, F/groups/16, h*w*C/groups, 16), float32."""
    filters, channels, height, width = weights.shape
    each, terms = filters // groups, height * width * channels
    wide = np.zeros((groups, padded(each), height, width, channels), np.float32)
    wide[:, :each] = weights.reshape(groups, each, channels, height, width).transpose(0, 1, 3, 4, 2)
    panels = wide.reshape(groups, padded(each) // PANEL, PANEL, terms).transpose(0, 1, 3, 2)
    return np.ascontiguousarray(panels)


def from_panels(panels: Array, shape: tuple[int, int, int, int], groups: int = 1) -> Array:
    """Panels (flat or not) -> (F, C/groups, h, w)."""
    filters, channels, height, width = shape
    each, terms = filters // groups, height * width * channels
    rows = panels.reshape(groups, padded(each) // PANEL, terms, PANEL).transpose(0, 1, 3, 2)
    wide = rows.reshape(groups, padded(each), height, width, channels)[:, :each]
    return np.ascontiguousarray(wide.transpose(0, 1, 4, 2, 3)).reshape(shape)


def pad_groups(bias: Array, groups: int = 1) -> Array:
    """(F,) -> (groups, F/groups padded), float32."""
    each = bias.size // groups
    out = np.zeros((groups, padded(each)), np.float32)
    out[:, :each] = bias.reshape(groups, each)
    return out


def unpad_groups(bias: Array, filters: int, groups: int = 1) -> Array:
    """(groups, F/groups padded), flat or not -> (F,)."""
    return bias.reshape(groups, -1)[:, : filters // groups].reshape(-1).copy()
