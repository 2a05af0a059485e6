"""``beak export``: a run as a file that other programs run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from beak.cli.console import count, how_many, make_console, note, plain, print_json
from beak.cli.options import command, data_dir_option, json_option, threads_option

if TYPE_CHECKING:
    from beak.exchange.export import Export


@command
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--to", metavar="FORM", help="onnx, c or pt2 (as FILE ends).")
@click.option("--int8", is_flag=True, help="ONNX in 8 bits; the accuracy is measured.")
@click.option("--accept-loss", is_flag=True, help="With --int8: whatever it loses.")
@click.option(
    "--data", metavar="SOURCE", help="Raw files to compare on (what the run was trained on)."
)
@threads_option
@data_dir_option
@json_option
def export(
    run: Path,
    file: Path,
    to: str | None,
    int8: bool,
    accept_loss: bool,
    data: str | None,
    threads: int | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Write a run as a file that other programs run, and compare it with the run.

    FILE.onnx holds the preparation of the input from decoded pixels, samples, word numbers or
    planes on, the network and the labels; ONNX Runtime, OpenVINO and onnxruntime-web take it.
    FILE.c is the same as C99 without libraries, for small networks. FILE.pt2 is for PyTorch
    (torch.export.load), with pictures as pixels of the network's own size. The file's answers are
    compared with the run's on 200 inputs or more: raw files where there are some, and made ones.
    Where they differ, nothing is written and the exit code is 1.

    --int8 makes a smaller ONNX file: its ranges come from the run's own training data, and the
    accuracy before and after is measured on the test part. It is refused when it loses more than
    half a point.
    """
    from beak.exchange.export import export as made_export
    from beak.runs.run import Run

    opened = Run(run, threads=threads)
    made = made_export(
        opened, file, to, int8=int8, accept_loss=accept_loss, data=data, data_dir=data_dir
    )
    for text in made.notes:
        note(text)
    if as_json:
        print_json(made.to_json())
        return
    show_export(made)


def show_export(made: Export) -> None:
    """The file, and how its answers compare with the run's."""
    console, found = make_console(), made.compared
    console.print(f"{plain(str(made.path))}: {count(made.size)} bytes", style="good")
    if made.accuracy is not None:
        before, after = made.accuracy.before, made.accuracy.after
        console.print(
            f"accuracy on {how_many(made.accuracy.examples, 'test example')}: "
            f"{100 * before:.2f} % before, {100 * after:.2f} % in 8 bits"
        )
    ties = ", only ties" if found.changed and not found.changed_for_good else ""
    console.print(
        f"compared on {how_many(found.inputs, 'input')}: largest difference "
        f"{found.difference:.1e}, {how_many(found.changed, 'label')} changed{ties}"
    )
