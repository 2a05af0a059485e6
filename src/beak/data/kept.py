"""Work that is kept in the cache, or done for this run only where nothing can be written there."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from beak.data.report import NOTE, Finding
from beak.data.store import Store, UnwritableError, open_store
from beak.errors import DataError


def made_store(path: Path, make: Callable[[Path], None]) -> tuple[Store, list[Finding]]:
    """The store that ``make`` writes to the path it is given: ``path``, so that it stays there.

    Where nothing can be written there, it is a temporary file that is gone when nobody uses it any
    more, and a note says so.
    """
    try:
        make(path)
        return open_store(path), []
    except UnwritableError as error:
        try:
            aside = tempfile.TemporaryDirectory(prefix="beak-", ignore_cleanup_errors=True)
        except OSError:
            raise error from None
        with aside as folder:
            make(Path(folder) / path.name)
            # its arrays are mapped: on POSIX they stay when the file's name goes
            return open_store(Path(folder) / path.name), [not_kept(error)]


def not_kept(error: DataError) -> Finding:
    """The note for work that cannot be kept on the disk."""
    return Finding(NOTE, f"{error}; until then every start does this work again")
