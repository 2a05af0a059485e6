"""Two hosts train one run, and the cable between them is pulled: does it end as in peace?

    python benchmarks/two_hosts.py [--cuts 5 60] [--seed 0]

Two network namespaces are two hosts with an interface each (needs root, and `ip` of iproute2).
torchrun runs on both, one process each, as docs/torch.md says; a run starts for every cut: at a
moment drawn by chance the second host's interface goes down for so many seconds. A torchrun that
gives up there is started again, as a cluster does. Every run must end by itself with the bytes of
the run of `beak train --processes 2`. Exits with 1 where one does not.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kills import examples, same

from beak.runs.run import Run

NAMES = ("beak-one", "beak-two")
ADDRESS = "10.83.97.{}"
PORT = 29511


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def cannot() -> str | None:
    """Why two hosts cannot be made here; None: they can."""
    if shutil.which("ip") is None:
        return "there is no ip (package iproute2)"
    try:
        ip("netns", "add", NAMES[0])
        ip("netns", "del", NAMES[0])
    except (subprocess.CalledProcessError, OSError):
        return "no network namespaces: not root, or the kernel forbids them"
    return None


def connect() -> None:
    """Two namespaces with a cable between."""
    for name in NAMES:
        ip("netns", "add", name)
    ip("link", "add", "cable1", "netns", NAMES[0], "type", "veth", "peer", "name", "cable2",
       "netns", NAMES[1])  # fmt: skip
    for place, name in enumerate(NAMES, 1):
        ip("-n", name, "addr", "add", f"{ADDRESS.format(place)}/24", "dev", f"cable{place}")
        for device in ("lo", f"cable{place}"):
            ip("-n", name, "link", "set", device, "up")


def disconnect() -> None:
    """Both namespaces go, and the cable with them."""
    for name in NAMES:
        subprocess.run(["ip", "netns", "del", name], capture_output=True)


def cable(state: str) -> None:
    ip("-n", NAMES[1], "link", "set", "cable2", state)


def training(data: Path, out: Path) -> list[str]:
    words = ["-m", "beak", "train", str(data), "--out", str(out), "--no-baseline", "--seed", "3"]
    return [*words, "--epochs", "30", "--batch", "16", "--network", "dense"]


class Host:
    """torchrun on one host, started again when it gives up."""

    def __init__(self, place: int, data: Path, out: Path, log: Path) -> None:
        self.typed = [
            "ip", "netns", "exec", NAMES[place - 1], sys.executable, "-m", "torch.distributed.run",
            "--nnodes", "2", "--nproc-per-node", "1", "--rdzv-backend", "c10d",
            "--rdzv-endpoint", f"{ADDRESS.format(1)}:{PORT}", "--rdzv-id", "two-hosts",
            "--rdzv-conf", f"is_host={place == 1}",
            "--local-addr", ADDRESS.format(place), "--max-restarts", "5", *training(data, out),
        ]  # fmt: skip
        self.environment = {
            **os.environ, "GLOO_SOCKET_IFNAME": f"cable{place}", "OMP_NUM_THREADS": "1",
            "BEAK_CHECKPOINT_SECONDS": "0.3",
        }  # fmt: skip
        self.log, self.starts = log, 0
        self.start()

    def start(self) -> None:
        self.starts += 1
        with self.log.open("ab") as file:
            self.process = subprocess.Popen(
                self.typed, env=self.environment, stdout=subprocess.DEVNULL, stderr=file
            )

    def done(self) -> bool:
        """Whether it ended well; started again where it did not."""
        code = self.process.poll()
        if code not in (None, 0):
            self.start()
        return code == 0


def one_run(cut: float, draw: random.Random, data: Path, out: Path, patience: float) -> str:
    """Train on both hosts, cut off for so long; what came of it."""
    logs = [out.with_suffix(f".{place}.txt") for place in (1, 2)]
    began = time.monotonic()
    hosts = [Host(place, data, out, log) for place, log in enumerate(logs, 1)]
    history = out / "history.jsonl"
    try:
        at, until, end = draw.uniform(0.5, 3.0), float("inf"), began + patience
        while not history.exists():
            assert time.monotonic() < end, logs[0].read_text()
            time.sleep(0.05)
        time.sleep(at)
        cable("down")
        epochs, until = len(history.read_text().splitlines()), time.monotonic() + cut
        while not all({host.done() for host in hosts}):  # noqa: C419 - each is looked at
            if time.monotonic() > until:
                cable("up")
                until = float("inf")
            if time.monotonic() > end:
                return f"WRONG: no end after {patience:.0f} s\n" + logs[0].read_text()[-2000:]
            time.sleep(0.2)
    finally:
        cable("up")
        for host in hosts:
            host.process.terminate()
            host.process.wait()
    return (
        f"cut off after {epochs} epochs; torchrun was started "
        f"{' and '.join(str(host.starts) for host in hosts)} times; "
        f"{time.monotonic() - began:.0f} s in all"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cuts", type=float, nargs="+", default=[5, 60], metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--patience", type=float, default=400)
    given = parser.parse_args()
    why = cannot()
    if why is not None:
        print(f"two hosts cannot be made here: {why}", file=sys.stderr)
        return 1
    draw, wrong = random.Random(given.seed), 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        data = examples(place / "bars.npz")
        typed = [sys.executable, *training(data, place / "calm"), "--processes", "2"]
        subprocess.run(typed, check=True, stdout=subprocess.DEVNULL)
        calm = Run(place / "calm")
        connect()
        try:
            for number, cut in enumerate(given.cuts):
                out = place / f"run{number}"
                told = one_run(cut, draw, data, out, given.patience)
                good = not told.startswith("WRONG") and same(calm, Run(out))
                wrong += not good
                words = "same bytes" if good else "WRONG bytes"
                print(f"{cut:.0f} s without a cable: {told}: {words}", flush=True)
        finally:
            disconnect()
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
