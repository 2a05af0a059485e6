"""Make src/beak/data/files/go-demo.zip: games of GNU Go 3.8 against itself (LICENSES/go-demo.md).

    python scripts/make_go_demo.py            # an hour on two cores; goes on where it was stopped

Game number n depends on n alone: its levels, handicap, first moves and GNU Go's seed are drawn from
it. Each game is kept in build/go-demo until all are there; then they become one SGF file, zipped.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "src/beak/data/files/go-demo.zip"
KEPT = ROOT / "build/go-demo"
SIZE, MOST_MOVES = 19, 400
COLUMNS = "ABCDEFGHJKLMNOPQRST"
CORNER = [(r, c) for r in range(2, 5) for c in range(2, 5)]
"""Where opening stones are put: the third to fifth lines from a corner."""


class GnuGo:
    """A running GNU Go."""

    def __init__(self, seed: int) -> None:
        found = shutil.which("gnugo") or "/usr/games/gnugo"
        command = [found, "--mode", "gtp", "--japanese-rules", "--seed", str(seed + 1)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, command: str) -> str:
        """The answer to a command; raises RuntimeError where GNU Go refuses it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        lines = []
        while line := self.process.stdout.readline().rstrip("\n"):
            lines.append(line)
        if not lines or not lines[0].startswith("="):
            raise RuntimeError(f"{command}: {lines}")
        return " ".join(lines)[1:].strip()


def sgf_point(vertex: str) -> str:
    """'A19' -> 'aa'; a pass is ''."""
    if vertex.lower() == "pass":
        return ""
    letters = "abcdefghijklmnopqrs"
    return letters[COLUMNS.index(vertex[0])] + letters[SIZE - int(vertex[1:])]


def opening(generator: random.Random) -> list[str]:
    """Up to four stones, each in a corner of its own."""
    corners = [(rows, columns) for rows in (0, 1) for columns in (0, 1)]
    generator.shuffle(corners)
    places = []
    for flip_row, flip_column in corners[: generator.randint(0, 4)]:
        row, column = generator.choice(CORNER)
        row = SIZE - 1 - row if flip_row else row
        column = SIZE - 1 - column if flip_column else column
        places.append(f"{COLUMNS[column]}{SIZE - row}")
    return places


def play(number: int) -> str:
    """One game as SGF."""
    generator = random.Random(number)
    levels = [generator.choice((1, 1, 1, 2, 3)) for _ in "BW"]
    stones = generator.choice((2, 3, 4)) if generator.random() < 0.15 else 0
    komi = "0.5" if stones else "6.5"
    gnugo = GnuGo(number)
    for command in (f"boardsize {SIZE}", "clear_board", f"komi {komi}"):
        gnugo.ask(command)
    handicap = gnugo.ask(f"fixed_handicap {stones}").split() if stones else []
    given = [] if stones else opening(generator)
    moves: list[str] = []
    result = ""
    while len(moves) < MOST_MOVES and moves[-2:] != ["PASS", "PASS"]:
        turn = (len(moves) + bool(stones)) % 2
        colour = ("black", "white")[turn]
        if len(moves) < len(given):
            vertex = given[len(moves)]
            gnugo.ask(f"play {colour} {vertex}")
        else:
            gnugo.ask(f"level {levels[turn]}")
            vertex = gnugo.ask(f"genmove {colour}").upper()
        if vertex == "RESIGN":
            result = "WB"[turn] + "+R"
            break
        moves.append(vertex)
    if not result:  # a game that was cut off has no result
        ended = moves[-2:] == ["PASS", "PASS"]
        result = gnugo.ask("final_score") if ended else "Void"
    gnugo.process.communicate("quit\n", timeout=60)
    head = f"GM[1]FF[4]SZ[{SIZE}]KM[{komi}]RU[Japanese]GN[go-demo {number}]RE[{result}]"
    names = "".join(
        f"P{colour}[GNU Go 3.8 level {level}]" for colour, level in zip("BW", levels, strict=True)
    )
    setup = "".join(f"[{sgf_point(v)}]" for v in handicap)
    head += names + (f"HA[{stones}]AB{setup}" if stones else "")
    first = "WB" if stones else "BW"
    return f"(;{head}" + "".join(
        f"\n;{first[i % 2]}[{sgf_point(v)}]" if i % 10 == 0 else f";{first[i % 2]}[{sgf_point(v)}]"
        for i, v in enumerate(moves)
    ) + ")\n"  # fmt: skip


def keep(number: int) -> None:
    """Play a game unless it is there."""
    path = KEPT / f"{number:04}.sgf"
    if not path.exists():
        made = play(number)
        path.with_suffix(".part").write_text(made)
        path.with_suffix(".part").rename(path)
        print(path.name, made.count(";") - 1, "moves", flush=True)


def join(games: int) -> None:
    """The games as one SGF file in a zip, the same bytes every time."""
    text = "".join((KEPT / f"{number:04}.sgf").read_text() for number in range(games))
    entry = zipfile.ZipInfo("go-demo.sgf", (2000, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(TARGET, "w") as file:
        file.writestr(entry, text, compresslevel=9)
    print(TARGET, TARGET.stat().st_size, "bytes")


def main() -> None:
    """Play what is missing, then join."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=300)
    parser.add_argument("--processes", type=int, default=2)
    told = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(told.processes) as pool:
        for _ in pool.map(keep, range(told.games)):
            pass
    join(told.games)


if __name__ == "__main__":
    main()
