"""Coverage-guided fuzzing of the weights file: python tests/runs/fuzz_model.py -max_total_time=30.

Whatever the bytes, reading ends in a model or in one RunError line. Needs atheris; `check` needs
nothing and is what the tests without it call.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from beak.errors import RunError
from beak.runs.model import load_model

PLACE = Path(tempfile.gettempdir()) / f"beak-fuzz-{os.getpid()}.safetensors"


def check(data: bytes, place: Path = PLACE) -> str:
    """Read these bytes as a model; "" where they are one, else the error's line."""
    place.write_bytes(data)
    try:
        load_model(place)
    except RunError as error:
        said = str(error)
        assert said.isprintable(), f"more than a line: {said!r}"
        assert len(said) < 2000, f"too long: {said[:300]!r}"
        assert place.name in said, f"names no file: {said!r}"
        return said
    return ""


def main() -> None:
    """Fuzz until -max_total_time is over; crashes end the process with a stack trace."""
    import atheris

    atheris.instrument_all()
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
