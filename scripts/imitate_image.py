"""The Dockerfile's steps as they stand, without Docker: does each work, does the service come up?

    sudo python scripts/imitate_image.py     needs root, Linux with overlayfs, git and pip's index

Each stage is a layer over this machine's own files (nothing of it stays), with this Python where
the image has its own. Every RUN line is executed by /bin/sh in it, COPY takes what git knows, ENV,
WORKDIR and USER count. Then the last stage serves a run as its own user, with the run mounted
read-only; the HEALTHCHECK and a prediction are asked. What it cannot show: how large the image is,
and whether something is missing that this machine has and python:3.11-slim has not.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parents[1]
PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
PORT = 8000
TOKEN = "imitated-image"
KEPT = ("PIP_", "SSL_", "HTTP", "http", "NO_PROXY", "no_proxy")
"""Beginnings of what of this machine's settings reaches the steps: how packages are found."""


def instructions(text: str) -> list[tuple[str, str]]:
    r"""Words and what follows them, lines that go on joined.

    >>> instructions("FROM a\nRUN b \\\n  && c\n# no\n")
    [('FROM', 'a'), ('RUN', 'b   && c')]
    """
    joined = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", text))
    lines = [line.strip() for line in joined.splitlines() if line.strip()]
    return [(line.split()[0], line.split(None, 1)[1]) for line in lines]


class Stage:
    """A layer over this machine's files, and what the instructions have set so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        for name in ("upper", "work", "root"):
            (folder / name).mkdir(parents=True)
        layers = f"lowerdir=/,upperdir={folder}/upper,workdir={folder}/work"
        call("mount", "-t", "overlay", "overlay", "-o", layers, str(self.root))
        call("mount", "--bind", "/dev", f"{self.root}/dev")
        call("mount", "-t", "proc", "proc", f"{self.root}/proc")
        base = Path(sys.base_prefix)
        if base != Path("/usr/local"):  # where the image has it; homes are closed to its user
            call("mount", "--bind", "-o", "ro", str(base), f"{self.root}/usr/local")
        self.environment = {k: v for k, v in os.environ.items() if k.startswith(KEPT)}
        self.environment |= {"PATH": PATH, "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}
        self.environment["LD_LIBRARY_PATH"] = "/usr/local/lib"
        self.place, self.user = "/", "root"

    def command(self, words: list[str]) -> list[str]:
        """As this stage's user, in its folder."""
        inside = f'cd {shlex.quote(self.place)} && exec "$@"'
        user = [f"--userspec={self.user}:"] if self.user != "root" else []
        return ["chroot", *user, str(self.root), "/bin/sh", "-c", inside, "sh", *words]

    def run(self, words: list[str]) -> None:
        """Raises CalledProcessError where the step fails."""
        subprocess.run(self.command(words), check=True, env=self.environment)

    def copy(self, told: str, stages: dict[str, Stage]) -> None:
        """COPY, of what git knows or from another stage."""
        *options, source, target = told.split()
        there = self.root / os.path.join(self.place, target).lstrip("/")
        if options:
            other = stages[options[0].removeprefix("--from=")].root
            call("cp", "-a", f"{other}{source}", str(there))
            return
        assert source == ".", told
        there.mkdir(parents=True, exist_ok=True)
        files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True)
        names = files.stdout
        call("cp", "-a", "--parents", "-t", str(there), *names.decode().split("\0")[:-1])

    def close(self) -> None:
        """Nothing of it stays."""
        for name in ("runs", "usr/local", "proc", "dev", ""):
            subprocess.run(["umount", "--lazy", str(self.root / name)], capture_output=True)


def call(*words: str) -> None:
    """Raises CalledProcessError where it fails."""
    subprocess.run(words, check=True, cwd=ROOT)


def built(text: str, folder: Path, stages: dict[str, Stage]) -> tuple[Stage, dict[str, str]]:
    """The last stage, and what is told about running it."""
    told: dict[str, str] = {}
    stage = None
    for word, rest in instructions(text):
        print(f"{word} {rest}", flush=True)
        begun = time.monotonic()
        if word == "FROM":
            name = rest.split(" AS ")[1] if " AS " in rest else "last"
            stage = stages[name] = Stage(folder / name)
            continue
        assert stage is not None, "FROM comes first"
        if word == "RUN":
            stage.run(["/bin/sh", "-c", rest])
            print(f"  done in {time.monotonic() - begun:.0f} s", flush=True)
        elif word == "COPY":
            stage.copy(rest, stages)
        elif word == "WORKDIR":
            stage.place = rest
            (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif word == "USER":
            stage.user = rest
        elif word == "ENV":
            for pair in shlex.split(rest):
                key, value = pair.split("=", 1)
                stage.environment[key] = value.replace("$PATH", stage.environment["PATH"])
        else:
            told[word] = rest
    assert stage is not None
    return stage, told


def served(stage: Stage, told: dict[str, str]) -> None:
    """The service comes up as the image's user, is healthy and answers; torch is not there."""
    (stage.root / "runs").mkdir()
    (stage.root / "made").mkdir(mode=0o777)
    (stage.root / "made").chmod(0o777)
    entry = json.loads(told["ENTRYPOINT"])
    train = [*entry, "train", "digits", "--epochs", "1", "--no-baseline", "--out", "/made/digits"]
    home = re.search(r"--home-dir (\S+)", (ROOT / "Dockerfile").read_text())
    assert home is not None
    stage.environment["HOME"] = home[1]
    stage.place = "/"
    stage.run([*train, "--json"])
    call("mount", "--bind", f"{stage.root}/made", f"{stage.root}/runs")
    call("mount", "-o", "remount,bind,ro", f"{stage.root}/runs")
    gone = subprocess.run(
        stage.command(["python", "-c", "import torch"]), env=stage.environment, capture_output=True
    )
    assert gone.returncode == 1, "torch is in the image"
    words = [*entry, "serve", "/runs/digits", "--host", "0.0.0.0", "--port", str(PORT)]
    process = subprocess.Popen(stage.command(words), env={**stage.environment, "BEAK_TOKEN": TOKEN})
    try:
        health = json.loads(re.sub(r"^.*?CMD ", "", told["HEALTHCHECK"]))
        for _ in range(60):
            time.sleep(0.5)
            if not subprocess.run(
                stage.command(health), env=stage.environment, capture_output=True
            ).returncode:
                break
        else:
            raise AssertionError("it is not healthy within 30 s")
        owner = Path(f"/proc/{process.pid}").stat().st_uid
        assert owner != 0, "it runs as root"
        print(f"healthy, as user {owner}; {answer()}")
    finally:
        process.terminate()
        assert process.wait(40) == 0


def answer() -> str:
    """What it says to a picture with the token, and without."""
    png = subprocess.run(
        [sys.executable, "-c", "import io, sys; from PIL import Image; f = io.BytesIO(); "
         "Image.new('L', (28, 28)).save(f, 'PNG'); sys.stdout.buffer.write(f.getvalue())"],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    asked = Request(f"http://127.0.0.1:{PORT}/predict", png, {"content-type": "image/png"})
    refused = 0
    try:
        urlopen(asked, timeout=10).close()
    except HTTPError as error:
        refused = error.code
    assert refused == 401, "it answers without the token"
    asked.add_header("authorization", f"Bearer {TOKEN}")
    with urlopen(asked, timeout=10) as told:
        return f"answers {json.load(told)['label']} with the token, 401 without"


def main() -> int:
    """0: every step worked."""
    if os.geteuid():
        print("imitate_image: only root can mount the layers")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the layers are taken away all the same
    stages: dict[str, Stage] = {}
    folder = Path(tempfile.mkdtemp(prefix="beak-image-"))
    call("mount", "-t", "tmpfs", "tmpfs", str(folder))
    try:
        stage, told = built((ROOT / "Dockerfile").read_text(), folder, stages)
        size = subprocess.run(["du", "-sm", f"{stage.root}/beak"], capture_output=True, text=True)
        print(f"/beak: {size.stdout.split()[0]} MB")
        served(stage, told)
    finally:
        for each in stages.values():
            each.close()
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()
    return 0


if __name__ == "__main__":
    sys.exit(main())
