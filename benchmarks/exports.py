"""How far exports are from their runs: raw files through both, every way out, as a table.

    python benchmarks/exports.py --files 10000        pictures, sounds, sentences, Go
    python benchmarks/exports.py --files 400 --runs pictures=runs/photos go=runs/go
    python benchmarks/exports.py --markdown           ends with the table of docs/export.md
    python benchmarks/exports.py --int8               points lost, size and speed in 8 bits

Without --runs a short training makes one of each kind, with beak's defaults. Archives are read
from --data (or $BEAK_DATA), what is missing is made up; see raw_files.py. Ends with 1 where a
difference is above 1e-4, or a label changed that was no tie.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
from browser import VERSION as WEB_VERSION
from browser import MissingError, browser
from int8_cost import int8_table
from raw_files import KINDS, raw_inputs

from beak.data.decode import decode_file
from beak.data.kinds import kind_of
from beak.errors import BeakError
from beak.exchange.c_source import c_answers, c_source
from beak.exchange.check import Answers, Comparison, compare, onnx_answers
from beak.exchange.examples import Pair
from beak.exchange.onnx_model import OUTPUT, exported_input, input_name, onnx_bytes
from beak.runs.run import Run

HTTP = "HTTP, beak serve"
WEB = "onnxruntime-web"
AT_ONCE = 250
"""Inputs that are held at a time."""
TRAINED_ON = {
    "pictures": ("cats-dogs-a", "cats-dogs-a", "digits", ("--epochs", "3")),
    "sounds": ("fsdd", "fsdd/recordings", None, ("--epochs", "4")),
    "texts": ("text-kim-a", "text-kim-a/rt-polarity.all", None, ("--epochs", "1")),
    "go": (None, None, "go-demo", ("--epochs", "1")),
}
"""Kind -> archive, the source in it, the built-in set where there is no archive, options."""


def openvino_answers(made: bytes, run: Run) -> Answers:
    import openvino

    precision = {"INFERENCE_PRECISION_HINT": "f32"}
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(made), "CPU", precision)
    name = input_name(run.spec)
    return lambda inputs: compiled({name: inputs})[OUTPUT]


def c_file_answers(made: bytes, run: Run) -> Answers:
    return c_answers(c_source(run.model), run.model)


WAYS: dict[str, Callable[[bytes, Run], Answers]] = {
    "ONNX Runtime": lambda made, run: onnx_answers(made, run.model),
    "OpenVINO": openvino_answers,
    "C": c_file_answers,
}
"""Name -> (ONNX file, run) -> what answers decoded inputs; the browser joins while it is open."""


@contextmanager
def served(run: Run) -> Iterator[Callable[[Any], np.ndarray]]:
    """``beak serve`` on loopback; gives a function: a raw input -> its probabilities."""
    command = [sys.executable, "-m", "beak", "serve", str(run.model.path), "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        address = json.loads(process.stdout.readline())["address"].rstrip("/")

        def ask(raw: Any) -> np.ndarray:
            content, move = raw if isinstance(raw, tuple) else (raw, None)
            text = isinstance(content, str)
            said = {"text": content} if text else {"data": b64encode(content).decode()}
            body = json.dumps({"inputs": [said]}).encode()  # one of several has no time line
            query = f"?top={len(run.labels)}" + (f"&move={move}" if move is not None else "")
            headers = {"Content-Type": "application/json"}
            (told,) = _answer(Request(f"{address}/predict{query}", body, headers))["predictions"]
            shares = told["expected" if move is not None else "probabilities"]
            return np.array([shares[label] for label in run.labels])

        yield ask
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def _answer(asked: Request) -> Any:
    """The service's answer; where it has too much to do it says when to ask again."""
    for _ in range(10):
        try:
            with urlopen(asked, timeout=60) as answer:
                return json.load(answer)
        except HTTPError as error:
            if error.code != 503:
                raise
            time.sleep(float(error.headers.get("Retry-After") or 1))
    raise RuntimeError("the service has too much to do on this machine")


def pairs_of(run: Run, raws: Iterator[tuple[str, Any]]) -> Iterator[tuple[Pair, Any]]:
    """Raw inputs as the export takes them and as the run prepared them, if they can be read."""
    kind = kind_of(run.spec.kind)
    for name, raw in raws:
        try:
            stored, _ = kind.load_raw(raw, run.spec, name)
            if run.spec.kind == "pictures":
                exported = decode_file(raw, name).pixels
            else:
                exported = exported_input(run.spec, stored[None])[0]
        except BeakError:
            continue
        yield Pair(name, exported, run.spec.prepare(stored[None])[0]), raw


def together(a: Comparison | None, b: Comparison) -> Comparison:
    """Two comparisons as one."""
    if a is None:
        return b
    return replace(
        a,
        inputs=a.inputs + b.inputs,
        difference=max(a.difference, b.difference),
        changed=a.changed + b.changed,
        changed_for_good=a.changed_for_good + b.changed_for_good,
        worst=a.worst if a.difference >= b.difference else b.worst,
    )


def compared(
    run: Run, raws: Iterator[tuple[str, Any]], ways: dict[str, Answers], http: Any
) -> tuple[dict[str, Comparison], int, dict[str, float]]:
    """Every way's comparison with the run, how many inputs were made up, and seconds of each."""
    found: dict[str, Comparison] = {}
    seconds = dict.fromkeys([*ways, HTTP], 0.0)
    made, pairs = 0, pairs_of(run, raws)
    while both := list(islice(pairs, AT_ONCE)):
        chunk, files = [pair for pair, _ in both], [raw for _, raw in both]
        made += sum(pair.name.startswith("made ") for pair in chunk)
        numbered = [replace(pair, exported=np.array(i)) for i, pair in enumerate(chunk)]

        def by_http(numbers: np.ndarray, files: list[Any] = files) -> np.ndarray:
            return np.stack([http(files[number]) for number in numbers])

        for name, answers in {**ways, HTTP: by_http}.items():
            begin = time.perf_counter()
            given = numbered if name == HTTP else chunk
            found[name] = together(found.get(name), compare(run, given, answers))
            seconds[name] += time.perf_counter() - begin
    return found, made, seconds


def trained(kind: str, data: Path | None, folder: Path) -> Path:
    """A run of that kind, trained shortly on the archive, or on what comes with beak."""
    archive, source, built_in, options = TRAINED_ON[kind]
    told = built_in
    if data and archive and (data / f"{archive}.tar.gz").is_file():
        with tarfile.open(data / f"{archive}.tar.gz") as packed:
            packed.extractall(folder, filter="data")
        told = str(folder / str(source))
    elif told is None:
        told = str(_made_source(kind, folder))
    out = folder / f"run-{kind}"
    command = [sys.executable, "-m", "beak", "train", told, "--out", str(out), "--no-baseline"]
    subprocess.run([*command, *options, "--json"], check=True, stdout=subprocess.DEVNULL)
    return out


def _made_source(kind: str, folder: Path) -> Path:
    """Made inputs with labels that mean nothing, for a training without an archive."""
    place = folder / f"made-{kind}"
    for number, (_, raw) in enumerate(raw_inputs(kind, 60, None)):
        label = place / ("one", "two")[number % 2]
        label.mkdir(parents=True, exist_ok=True)
        ending = "wav" if kind == "sounds" else "txt"
        content = raw.encode() if isinstance(raw, str) else raw
        (label / f"{number}.{ending}").write_bytes(content)
    return place


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000, help="over all kinds")
    parser.add_argument("--runs", nargs="*", default=[], metavar="KIND=RUN")
    parser.add_argument("--markdown", action="store_true", help="and the table of the docs")
    parser.add_argument("--int8", action="store_true", help="what 8 bits cost instead")
    parser.add_argument("--data", type=Path, default=os.environ.get("BEAK_DATA"))
    parser.add_argument("--data-dir", type=Path, help="with --int8: where built-in sets lie")
    told = parser.parse_args()
    runs = dict(text.partition("=")[::2] for text in told.runs)
    if told.int8:
        return int8_table(list(runs.values()), told.data_dir)
    good, rows = True, []
    with ExitStack() as open_things:
        folder = Path(open_things.enter_context(tempfile.TemporaryDirectory()))
        try:
            web = open_things.enter_context(browser())
        except MissingError as error:
            web = None
            print(f"onnxruntime-web is left out: {error}")
        kinds = [kind for kind in KINDS if not runs or kind in runs]
        for kind in kinds:
            run = Run(runs.get(kind) or trained(kind, told.data, folder))
            found = measured(run, kind, told.files // len(kinds), told.data, web)
            good &= all(one.agrees for one in found.values())
            rows.append(row(kind, found))
    if told.markdown:
        print("\n".join(["", *heading(), *rows]))
    return int(not good)


def heading() -> list[str]:
    """The table's first two lines, with the versions that were asked."""
    import onnxruntime
    import openvino

    said = {
        "ONNX Runtime": f"ONNX Runtime {onnxruntime.__version__}",
        "OpenVINO": f"OpenVINO {openvino.__version__.partition('-')[0]}",
        "onnxruntime-web": f"onnxruntime-web {WEB_VERSION}, Chromium",
    }
    names = ["what", "raw files", *(said.get(way, way) for way in (*WAYS, WEB, HTTP))]
    return [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]


def row(kind: str, found: dict[str, Comparison]) -> str:
    """A kind's largest difference on every way, and labels changed where there are any."""
    cells = [kind, f"{next(iter(found.values())).inputs:,}"]
    for way in (*WAYS, WEB, HTTP):
        one = found.get(way)
        changed = f", {one.changed} changed" if one and one.changed else ""
        cells.append(f"{one.difference:.1e}{changed}" if one else "left out")
    return f"| {' | '.join(cells)} |"


def measured(run: Run, kind: str, count: int, data: Path | None, web: Any) -> dict[str, Comparison]:
    """One run's comparisons on every way, printed."""
    made = onnx_bytes(run.model)
    ways: dict[str, Answers] = {}
    for name, way in WAYS.items():
        try:
            ways[name] = way(made, run)
        except (BeakError, ImportError) as error:
            print(f"  {name} is left out: {error}")
    if web is not None:
        ways[WEB] = web(made, input_name(run.spec))
    with served(run) as http:
        found, made_up, seconds = compared(run, raw_inputs(kind, count, data), ways, http)
    inputs = next(iter(found.values())).inputs
    print(f"{kind}: {inputs:,} raw inputs, {made_up:,} of them made up", flush=True)
    for name, one in found.items():
        print(
            f"  {name:16} largest difference {one.difference:.1e}, {one.changed} labels changed "
            f"({one.changed_for_good} no ties), {seconds[name]:.1f} s",
            flush=True,
        )
    return found


if __name__ == "__main__":
    sys.exit(main())
