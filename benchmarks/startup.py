"""How soon beak answers, and how much room its core takes.

    python benchmarks/startup.py           beak --help and import beak, beside an empty Python
    python benchmarks/startup.py --size    also the size of a fresh environment with the core alone

Prints a table; ends with 1 where a figure is missed.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
REPEATS = 15
MEGABYTE = 1_000_000


def seconds(*arguments: str) -> float:
    """Median wall time of a process, after one that warms the disk cache."""
    times = []
    for _ in range(REPEATS + 1):
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def installed_megabytes() -> float:
    """What `pip install beak` adds to a fresh environment, pip itself not counted."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        before = size(Path(folder))
        python = Path(folder) / "bin" / "python"
        command = [python, "-m", "pip", "install", "--quiet", "--no-compile",
                   "--constraint", ROOT / "constraints.txt", ROOT]  # fmt: skip
        subprocess.run(list(map(str, command)), check=True)
        code = "import beak; beak.Network; import importlib.util as u; print(u.find_spec('torch'))"
        torch = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
        assert torch.stdout.strip() == "None", "the core brought torch along"
        return (size(Path(folder)) - before) / MEGABYTE


def size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--size", action="store_true", help="install the core and weigh it")
    chosen = arguments.parse_args()
    rows = [
        ("python -c pass", seconds("-c", "pass"), None, "s"),
        ("import beak", seconds("-c", "import beak"), 0.3, "s"),
        ("beak --help", seconds("-m", "beak", "--help"), 0.2, "s"),
        ("beak networks", seconds("-m", "beak", "networks"), None, "s"),
    ]
    if chosen.size:
        rows.append(("installed core", installed_megabytes(), 200.0, "MB"))
    print(f"{'':16}{'measured':>12}{'wanted':>12}")
    for name, value, limit, unit in rows:
        shown = f"{value:.3f} {unit}" if unit == "s" else f"{value:.0f} {unit}"
        wanted = "" if limit is None else f"< {limit:g} {unit}"
        print(f"{name:16}{shown:>12}{wanted:>12}")
    return int(any(limit is not None and value >= limit for _, value, limit, _ in rows))


if __name__ == "__main__":
    sys.exit(main())
