"""``beak bench RUN --serve``: how many requests a second a service answers here, and how soon."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from beak.cli.console import count, how_many, make_console, print_json
from beak.errors import RunError

if TYPE_CHECKING:
    from beak.data.sound_spec import SoundSpec
    from beak.data.spec import InputSpec
    from beak.data.text_spec import TextSpec
    from beak.runs.model import Model

LOCAL = "127.0.0.1"
FILES = 64
"""Different ones that are sent in turn."""
WARM = 0.5
MOVES = 60
"""Of a game that is sent."""


def bench_serve(
    run: str,
    *,
    workers: int,
    connections: int,
    seconds: float,
    threads: int | None,
    exact: bool,
    as_json: bool,
) -> None:
    """Serve the run, ask it for so long, tell what came of it."""
    from beak.runs.model import load_model
    from beak.web.drive import drive, form, request

    model = load_model(run)
    bodies = [form(*made_file(model, number)) for number in range(FILES)]
    more = (["--threads", str(threads)] if threads else []) + (["--exact"] if exact else [])
    with served(run, "--workers", str(workers), *more) as port:
        requests = [request(f"{LOCAL}:{port}", "/predict", *body) for body in bodies]
        drive(LOCAL, port, requests, connections, WARM)
        driven = drive(LOCAL, port, requests, connections, seconds)
    if not driven.answers[200]:
        raise RunError(f"no request was answered: {dict(driven.answers)}, {driven.lost} lost")
    told = {"run": run, "workers": workers, "connections": connections, **driven.to_json()}
    if as_json:
        print_json(told)
        return
    console = make_console()
    console.print(
        f"{model.name} over HTTP: {how_many(workers, 'worker')}, "
        f"{how_many(connections, 'connection')}, a {kind_of_file(model)} in each request\n"
    )
    console.print(f"  {count(driven.rate):>9}  requests a second", style="label")
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        console.print(f"  {1e3 * driven.wait(share):9.1f}  ms {name}")
    others = {status: number for status, number in driven.answers.items() if status != 200}
    if others or driven.lost:
        console.print(f"\n  not answered well: {others}, {driven.lost} lost", style="warning")


@contextmanager
def served(*words: str) -> Iterator[int]:
    """``beak serve`` on a free port."""
    command = [sys.executable, "-m", "beak", "serve", *words, "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise RunError(f"the service did not start: {process.communicate()[1].strip()}")
        yield int(json.loads(line)["address"].rsplit(":", 1)[1].rstrip("/"))
    finally:
        process.terminate()
        process.communicate()


def kind_of_file(model: Model) -> str:
    """What is sent."""
    from beak.data.kinds import kind_of

    return kind_of(model.spec.kind).one


def made_file(model: Model, number: int) -> tuple[bytes, str]:
    """The bytes of a file that the network reads, from a seed, and its name."""
    random = np.random.default_rng([11, number])
    if model.spec.kind not in MADE:
        raise RunError(f"{model.name} reads {model.spec.kind}: no files that could be sent")
    ending, make = MADE[model.spec.kind]
    return make(model.spec, random), f"{number}.{ending}"


def _picture(spec: InputSpec, random: Any) -> bytes:
    """A bright stroke on black, as PNG, of the network's own size."""
    from PIL import Image

    channels, height, width = spec.shape
    y, x = np.mgrid[:height, :width]
    bend = random.random(3)
    far = np.abs(x / width - 0.5 - 0.4 * (bend[0] - 0.5) - (bend[1] - 0.5) * (y / height - 0.5))
    ink = np.clip(255 * (1.2 - far / (0.04 + 0.06 * bend[2])), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    shown = ink if channels == 1 else np.stack([ink, ink[::-1], ink[:, ::-1]], axis=2)
    Image.fromarray(shown).save(file, "PNG")
    return file.getvalue()


def _sound(spec: InputSpec, random: Any) -> bytes:
    """A tone in noise, as wav, as long as the network hears."""
    from beak.data.sounds import wav

    sounds = cast("SoundSpec", spec)
    time = np.arange(sounds.samples) / sounds.rate
    tone = np.sin(2 * np.pi * random.uniform(100, sounds.rate / 4) * time)
    return wav(9000 * tone + random.normal(0, 500, len(time)), sounds.rate)


def _text(spec: InputSpec, random: Any) -> bytes:
    """Twenty of its words."""
    words = cast("TextSpec", spec).words or ("a", "fine", "film")
    return " ".join(random.choice(words, 20)).encode()


def _game(spec: InputSpec, random: Any) -> bytes:
    """Stones side by side without a capture: every other point."""
    points = random.permutation([(r, c) for r in range(0, 19, 2) for c in range(0, 19, 2)])[:MOVES]
    moves = (f";{'BW'[i % 2]}[{chr(97 + c)}{chr(97 + r)}]" for i, (r, c) in enumerate(points))
    return f"(;GM[1]SZ[19]{''.join(moves)})".encode()


MADE: dict[str, tuple[str, Callable[[InputSpec, Any], bytes]]] = {
    "pictures": ("png", _picture),
    "sounds": ("wav", _sound),
    "texts": ("txt", _text),
    "go": ("sgf", _game),
}
"""By kind of input, the ending of a made file and what makes it."""
