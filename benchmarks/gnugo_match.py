"""A run against GNU Go through GTP, both colours in turn: who wins, and illegal moves.

    python benchmarks/gnugo_match.py runs/go-small --level 10 --games 50

Every move is told to the other program, which refuses it if it is illegal. When both have passed,
GNU Go at level 10 says who has won (area counted, dead stones taken off); games that do not end
within --moves are scored as they stand. With --games-file the games are kept there, one a line,
and a second call goes on behind those that are in it. The interval is Wilson's, 95 %. beak's
moves are the likeliest but for the first --sampled, which are drawn, so that games differ.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from beak.runs.evaluate import wilson

COLOURS = ("black", "white")


class Illegal(Exception):  # noqa: N818 - it is what happened, not a mistake here
    """A move was refused by the other program."""


class Program:
    """A program that speaks GTP."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, command: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        lines = []
        while line := self.process.stdout.readline().rstrip("\n"):
            lines.append(line)
        text = "\n".join(lines)
        if text.startswith("?") and "illegal" in text:
            raise Illegal(f"{command}: {text}")
        if not text.startswith("="):
            raise RuntimeError(f"{command}: {text!r}")
        return text[1:].strip()


def gnugo(level: int, seed: int) -> Program:
    found = shutil.which("gnugo") or "/usr/games/gnugo"
    if not Path(found).exists():
        raise SystemExit("GNU Go is not installed: apt-get install gnugo")
    return Program(
        found, "--mode", "gtp", "--level", str(level), "--chinese-rules", "--seed", str(seed)
    )


def one_game(
    beak: Program, drawing: Program, other: Program, judge: Program, colour: str, told: object
) -> dict[str, object]:
    """beak plays ``colour``; its first moves come from ``drawing``, the same network sampled."""
    everyone = (beak, drawing, other, judge)
    for program in everyone:
        for command in ("boardsize 19", "clear_board", f"komi {told.komi}"):
            program.ask(command)
    passes = moves = 0
    while passes < 2 and moves < told.moves:
        turn = COLOURS[moves % 2]
        early = moves < 2 * told.sampled
        mover = (drawing if early else beak) if turn == colour else other
        move = mover.ask(f"genmove {turn}").lower()
        if move == "resign":
            winner = COLOURS[(moves + 1) % 2]
            return {"beak": colour, "won": winner == colour, "how": "resigned", "moves": moves}
        for program in everyone:
            if program is not mover:
                program.ask(f"play {turn} {move}")
        passes = passes + 1 if move == "pass" else 0
        moves += 1
    score = judge.ask("final_score")
    won = score[:1] == colour[0].upper()
    return {"beak": colour, "won": won, "how": score, "moves": moves, "cut": passes < 2}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--games", type=int, default=50)
    parser.add_argument("--level", type=int, default=10)
    parser.add_argument("--komi", type=float, default=7.5)
    parser.add_argument("--moves", type=int, default=500)
    parser.add_argument("--sampled", type=int, default=4, help="beak's first moves that are drawn")
    parser.add_argument("--threads", default="1")
    parser.add_argument("--average", action="store_true")
    parser.add_argument("--games-file", type=Path, help="where games are kept and gone on from")
    told = parser.parse_args()
    command = [sys.executable, "-m", "beak", "play", told.run, "--gtp", "--threads", told.threads]
    command += ["--average"] * told.average
    kept = told.games_file
    played = kept.read_text().splitlines() if kept and kept.exists() else []
    games = [json.loads(line) for line in played]
    begun = time.perf_counter()
    for number in range(len(games), told.games):
        beak, drawing = Program(*command), Program(*command, "--sample", "--seed", str(number))
        other, judge = gnugo(told.level, number + 1), gnugo(10, 1)
        try:
            game = one_game(beak, drawing, other, judge, COLOURS[number % 2], told)
        except Illegal as error:
            game = {"beak": COLOURS[number % 2], "won": False, "illegal": str(error)}
        games.append({"game": number, **game})
        print(json.dumps(games[-1]), flush=True)
        if kept:
            with kept.open("a") as file:
                file.write(json.dumps(games[-1]) + "\n")
        for program in (beak, drawing, other, judge):
            program.process.communicate("quit\n", timeout=60)
    won, illegal = sum(game["won"] for game in games), sum("illegal" in game for game in games)
    low, high = wilson(won, len(games))
    result = {
        "run": told.run, "level": told.level, "games": len(games), "won": won,
        "share": round(won / len(games), 3), "interval": [round(low, 3), round(high, 3)],
        "illegal": illegal, "seconds": round(time.perf_counter() - begun),
    }  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
