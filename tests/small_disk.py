"""A file system of a few kilobytes, to be filled."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


class SmallDisk:
    """Mounted at ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def mount(self, kilobytes: int, again: bool = False) -> bool:
        """Whether it could be mounted, or given another size."""
        options = f"{'remount,' * again}size={kilobytes}k"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.path]
        return not subprocess.run(command, capture_output=True).returncode

    def fill(self) -> None:
        """Leave no room."""
        with open(self.path / "full", "ab", buffering=0) as file:
            for piece in (4096, 1):
                with suppress(OSError):
                    while file.write(bytes(piece)):
                        pass

    def make_room(self, kilobytes: int = 64 << 10) -> None:
        """Let it hold so much."""
        assert self.mount(kilobytes, again=True)

    @property
    def files(self) -> set[str]:
        """What lies there but for what fills it."""
        there = (path for path in self.path.rglob("*") if path.is_file())
        return {str(path.relative_to(self.path)) for path in there} - {"full"}


@contextmanager
def small_disk(path: Path, kilobytes: int) -> Iterator[SmallDisk]:
    """One at that path; the test is skipped where this user may mount none."""
    path.mkdir()
    disk = SmallDisk(path)
    if not disk.mount(kilobytes):
        pytest.skip("mounting a small file system needs rights that this user lacks")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)
