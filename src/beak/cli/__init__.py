"""The terminal: one file a command."""

from __future__ import annotations


def main() -> int:
    """Run the command that was typed; returns the exit code (0 done, 1 failed, 2 a wrong call)."""
    import sys

    try:
        from beak.cli.group import run

        return run(sys.argv[1:])
    except KeyboardInterrupt:
        return 1
