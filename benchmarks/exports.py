"""How far exports are from their runs: ONNX Runtime, OpenVINO and C on raw inputs, as a table.

python benchmarks/exports.py RUN=SOURCE … [--inputs 2500] [--data-dir DIR]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from beak.errors import BeakError
from beak.exchange.c_source import c_answers, c_source
from beak.exchange.check import compare, onnx_answers
from beak.exchange.examples import examples
from beak.exchange.onnx_model import OUTPUT, input_name, onnx_bytes
from beak.runs.run import Run


def openvino_answers(made: bytes, run: Run):
    import openvino

    precision = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(openvino.Core().read_model(made), "CPU", precision)
    name = input_name(run.spec)
    return lambda inputs: compiled({name: inputs})[OUTPUT]


def ways(run: Run):
    made = onnx_bytes(run.model)
    yield "ONNX Runtime", onnx_answers(made, run.model)
    yield "OpenVINO", openvino_answers(made, run)
    try:
        yield "C", c_answers(c_source(run.model), run.model)
    except BeakError as error:
        print(f"C: {error}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", nargs="+", metavar="RUN=SOURCE")
    parser.add_argument("--inputs", type=int, default=2500)
    parser.add_argument("--data-dir", type=Path)
    told = parser.parse_args()
    for text in told.runs:
        path, _, source = text.partition("=")
        run = Run(path)
        pairs = examples(run, source or None, told.data_dir, told.inputs)
        made = sum(pair.name.startswith("made ") for pair in pairs)
        print(f"{run.model.name} ({run.spec.kind}): {len(pairs) - made} raw, {made} made")
        for name, answers in ways(run):
            begin = time.perf_counter()
            found = compare(run, pairs, answers)
            print(
                f"  {name:13} largest difference {found.difference:.1e}, {found.changed} labels "
                f"changed ({found.changed_for_good} no ties), {time.perf_counter() - begin:.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
