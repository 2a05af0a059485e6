"""What the service takes: bytes, pixels, seconds, requests at once."""

from __future__ import annotations

from dataclasses import dataclass

from beak.data.limits import Limits

MOST_HEAD = 64 << 10
"""Bytes of a request's line and headers."""
KEPT_OPEN = 30.0
"""Seconds that a connection may lie idle, or take for a request's headers."""


@dataclass(frozen=True)
class Bounds:
    """Each worker's own."""

    most_bytes: int = 32 << 20
    """Of one request's body."""
    most_inputs: int = 256
    """In one request."""
    pixels: int = 25_000_000
    """Of one picture, unpacked."""
    seconds: float = 600.0
    """Of one recording."""
    timeout: float = 30.0
    """Seconds from a request's headers to its answer."""
    queue: int = 1024
    """Inputs of one run that wait for the network."""
    requests: int = 512
    """Requests in progress."""
    connections: int = 1024
    held_bytes: int = 256 << 20
    """Of all bodies in progress together."""

    @property
    def unpacked(self) -> Limits:
        """For the readers of files: what is longer is refused, not cut."""
        return Limits(self.pixels, self.seconds, cut=False)
