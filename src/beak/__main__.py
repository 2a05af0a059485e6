"""``python -m beak`` is ``beak``."""

from __future__ import annotations

import sys

from beak.cli import main

if __name__ == "__main__":
    sys.exit(main())
