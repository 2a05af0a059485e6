"""Paths as they are typed: with the slip of the pen answered by the nearest name."""

from __future__ import annotations

import difflib
from pathlib import Path


def nearest_path(path: Path) -> str:
    """'; did you mean 'photos/cat.jpg'?' where something of nearly that name stands beside it.

    Follows the path down to the first part that is missing; empty where nothing is near.
    """
    there, missing = Path(path.anchor), None
    for part in path.parts[1:] if path.anchor else path.parts:
        if not (there / part).exists():
            missing = part
            break
        there = there / part
    if missing is None:
        return ""
    try:
        names = sorted(p.name for p in there.iterdir())
    except OSError:
        return ""
    near = difflib.get_close_matches(missing, names, n=1, cutoff=0.6)
    return f"; did you mean '{there / near[0]}'?" if near else ""
