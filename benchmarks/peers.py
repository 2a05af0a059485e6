"""beak beside PyTorch, Keras, JAX, ONNX Runtime and OpenVINO, as a table.

    python benchmarks/peers.py                        all works, the peers that are installed
    python benchmarks/peers.py --only "train lecture" --json
    python benchmarks/peers.py --markdown --data FOLDER-WITH-MNIST > table.md

Every ratio is the median of 9 pairs that were run in turns in one go, with the same threads and
with malloc tuned alike for both (this program starts itself again with the environment set). Each
peer has a process of its own and runs at its best setting: every setting is tried first. A step
begins when the one before it has ended; its data lie ready. `memory` works compare the peak of the
whole training process, `mnist 99.0` the time from the command to 99 % on the test set; their ratio
too is how many times beak is better. `share_of_peak` counts the layers as dense work against the
multiply-adds that the cores can do at most.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pairs import MALLOC, PEERS, TRY, Peer, Side, missing, run_pairs
from works import WORKS, Work

Line = dict[str, Any]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def tuned(threads: int) -> None:
    """Start this program again with malloc tuned and on so many cores, unless that is done."""
    wanted = {**MALLOC, "OMP_NUM_THREADS": str(threads), "TF_CPP_MIN_LOG_LEVEL": "3"}
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[:threads])
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **wanted})


class Bench:
    """All sides that are there, and the pairs among them."""

    def __init__(self, threads: int, pairs: int, compiled: bool, only_peers: str) -> None:
        self.threads, self.pairs = threads, pairs
        self.beak = Side("beak", threads)
        self.peak = self.beak.ask(peak=1.0)["peak"]
        self.sides: dict[str, list[Side]] = {}
        for peer in PEERS:
            if only_peers.lower() not in peer.name.lower():
                continue
            if lacking := missing(peer):
                say(f"{peer.name}: {' and '.join(lacking)} not installed: left out")
                continue
            more = {} if compiled else {"BEAK_BENCH_NO_COMPILE": "1"}
            self.sides[peer.name] = [s for s in self._started(peer, more) if s is not None]

    def _started(self, peer: Peer, more: dict[str, str]) -> Iterator[Side | None]:
        for name, backend in peer.sides:
            side = Side(name, self.threads, backend, more)
            if "left_out" in side.hello:
                label = f"{peer.name} on {backend}" if backend else peer.name
                say(f"{label}: {side.hello['left_out']}: left out")
                continue
            say(f"{side.version}: here")
            yield side

    def lines(self, work: Work) -> Iterator[Line]:
        """A line for each peer that can do the work."""
        from beak.engine.rows import operations

        own = self.beak.ask(work=work.name, seconds=TRY)
        if "left_out" in own:
            say(f"{work.name}: beak: {own['left_out']}: left out")
            return
        purpose = "train" if work.purpose == "train" else "forward"
        dense = operations(work.network, purpose)
        for peer in PEERS:
            if peer.name not in self.sides or not (peer.trains or work.purpose == "infer"):
                continue
            side, found = self._fastest(work, self.sides[peer.name])
            if side is None:
                say(f"{work.name}: {peer.name}: {found['left_out']}: left out")
                continue
            both = run_pairs(
                work, (self.beak, own["seconds"]), (side, found["seconds"]), self.pairs
            )
            yield {
                "work": work.name,
                "beak": both.beak,
                "peer": side.version,
                "peer_rate": both.peer,
                "ratio": both.ratio,
                "share_of_peak": both.beak * dense / self.peak,
                "wanted": work.wanted,
                "setting": found["setting"],
                "tried": found["tried"],
            }

    def _fastest(self, work: Work, sides: list[Side]) -> tuple[Side | None, Line]:
        best, found = None, {"left_out": "none of its settings works"}
        for side in sides:
            answer = side.ask(work=work.name, seconds=TRY)
            if "left_out" in answer:
                found = found if best else answer
            elif best is None or answer["seconds"] < found["seconds"]:
                best, found = side, answer
        return best, found

    def close(self) -> None:
        for side in [self.beak, *(s for sides in self.sides.values() for s in sides)]:
            side.close()


def processor() -> str:
    """The CPU's name."""
    try:
        text = Path("/proc/cpuinfo").read_text()
        return next(x for x in text.splitlines() if x.startswith("model name")).split(": ")[1]
    except (OSError, StopIteration):
        return platform.machine()


def describe(bench: Bench) -> str:
    """The machine, in a line."""
    return (
        f"{processor()}, {bench.threads} threads, {bench.beak.version}, peak "
        f"{bench.peak / 1e9:.0f} GFLOPS, Python {platform.python_version()}, malloc tuned for both"
    )


def text_line(line: Line) -> str:
    share = f"{100 * line['share_of_peak']:6.0f} %" if line["share_of_peak"] else " " * 8
    wanted = f"{line['wanted']:.1f}" if line["wanted"] else ""
    return (
        f"{line['work']:26} {line['beak']:11,.1f} {line['peer_rate']:11,.1f} "
        f"{line['ratio']:7.2f} {wanted:>6} {share}  {line['peer']}, {line['setting']}"
    )


def markdown_rows(lines: list[Line]) -> Iterator[str]:
    """One row for each work: the best peer named, the others' ratios behind it."""
    yield "| work | beak | best peer | its rate | ratio | wanted | share of peak | other peers |"
    yield "|---|---|---|---|---|---|---|---|"
    for name in dict.fromkeys(line["work"] for line in lines):
        own = sorted((x for x in lines if x["work"] == name), key=lambda x: x["ratio"])
        best, rest = own[0], own[1:]
        share = f"{100 * best['share_of_peak']:.0f} %" if best["share_of_peak"] else ""
        others = ", ".join(f"{x['peer']} {x['ratio']:.1f}" for x in rest)
        yield (
            f"| `{name}` | {best['beak']:,.4g} | {best['peer']}, {best['setting']} "
            f"| {best['peer_rate']:,.4g} | **{best['ratio']:.2f}** | {best['wanted']:g} "
            f"| {share} | {others} |"
        )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="works whose name contains it")
    parser.add_argument("--peer", default="", metavar="TEXT", help="peers whose name contains it")
    parser.add_argument("--json", action="store_true", help="an object for each work and peer")
    parser.add_argument("--markdown", action="store_true", help="the table as Markdown, at the end")
    parser.add_argument("--pairs", type=int, default=9, help="turns that each side has")
    parser.add_argument("--threads", type=int, help="all cores")
    parser.add_argument("--no-compile", action="store_true", help="without torch.compile (faster)")
    parser.add_argument("--data", type=Path, help="folder with MNIST's four files")
    return parser.parse_args()


def measured(given: argparse.Namespace, bench: Bench | None) -> Iterator[Line]:
    from processes import PROCESS_WORKS, process_lines

    for work in WORKS:
        if bench is not None and given.only in work.name:
            yield from bench.lines(work)
    if bench is not None:
        bench.close()
    for name in PROCESS_WORKS:
        if given.only in name and given.peer.lower() in "pytorch":
            yield from process_lines(name, given.threads, given.pairs, given.data, say)


def main() -> None:
    given = arguments()
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    given.threads = given.threads or available
    tuned(given.threads)
    stepwise = any(given.only in work.name for work in WORKS)
    bench = None
    if stepwise:
        bench = Bench(given.threads, given.pairs, not given.no_compile, given.peer)
        say(describe(bench))
    lines = []
    if not (given.json or given.markdown):
        print(f"{'work':26} {'beak':>11} {'peer':>11} {'ratio':>7} {'wanted':>6} {'of peak':>8}")
    for line in measured(given, bench):
        lines.append(line)
        if given.json:
            print(json.dumps(line), flush=True)
        elif not given.markdown:
            print(text_line(line), flush=True)
        else:
            say(text_line(line))
    if given.markdown:
        if bench is not None:
            print(f"{describe(bench)}.\n")
        print("\n".join(markdown_rows(lines)))


if __name__ == "__main__":
    main()
