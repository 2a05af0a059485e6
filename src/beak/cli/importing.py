"""``beak import``: a network made elsewhere as a run, compared with the file it came from."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from beak.cli.console import count, how_many, make_console, note, plain, print_json, sizes
from beak.cli.options import command, json_option, shape
from beak.errors import UsageError

if TYPE_CHECKING:
    from beak.runs.run import Run


def numbers(text: str | None, option: str) -> tuple[float, ...] | None:
    """'0.485,0.456,0.406' or '1/255' as numbers."""
    if text is None:
        return None
    try:
        return tuple(float(Fraction(word.strip())) for word in text.split(","))
    except (ValueError, ZeroDivisionError, OverflowError):
        raise UsageError(
            f"{option} '{text}': a number was wanted, or one a channel with commas between"
        ) from None


@command
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--labels", metavar="FILE", type=click.Path(path_type=Path),
              help="What the answers are called: one a line, or JSON.")  # fmt: skip
@click.option(
    "--scale", metavar="S", help="Pictures: pixels (0 to 255) times this; 1/255 is usual."
)
@click.option("--mean", metavar="M,…", help="Pictures: then less this, one or one a channel.")
@click.option("--std", metavar="S,…", help="Pictures: then divided by this.")
@click.option("--colour", type=click.Choice(["rgb", "bgr"]), help="Pictures: the colours' order.")
@click.option("--fit", type=click.Choice(["crop", "pad", "stretch"]),
              help="Pictures of other proportions (crop; grey: pad).")  # fmt: skip
@click.option("--background", type=click.IntRange(0, 255), default=0, metavar="N",
              help="Pictures: what padding is filled with.")  # fmt: skip
@click.option("--numbers", "as_numbers", is_flag=True, help="Arrays as they are, no pictures.")
@click.option("--input-shape", metavar="C,H,W", help="For a file that leaves sizes open.")
@click.option("--overwrite", is_flag=True, help="Replace a run that is there.")
@json_option
def import_(
    file: Path,
    run: Path,
    labels: Path | None,
    scale: str | None,
    mean: str | None,
    std: str | None,
    colour: str | None,
    fit: str | None,
    background: int,
    as_numbers: bool,
    input_shape: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Bring in a network made elsewhere, as a run.

    FILE is an ONNX file of a convolutional network, from PyTorch, Keras or any other tool. RUN is
    the directory that is made; beak predict, evaluate, look, explain, summary and export take it.
    The network's answers are compared with ONNX Runtime's before anything is written: where they
    differ by more than 1e-4, the exit code is 1.

    An ONNX file seldom says what its answers are called or how its input was prepared: --labels
    tells the first, --scale, --mean, --std, --colour and --fit the second. A file that beak export
    wrote says both.
    """
    from beak.exchange.import_run import Preparation, import_network

    factor = numbers(scale, "--scale")
    if factor is not None and len(factor) != 1:
        raise UsageError(f"--scale '{scale}': one number was wanted, such as 1/255")
    preparation = Preparation(
        factor[0] if factor else None, numbers(mean, "--mean"), numbers(std, "--std"), fit,
        background, colour, as_numbers,
    )  # fmt: skip
    made = import_network(
        file, run, labels=labels, preparation=preparation,
        input_shape=_sizes(input_shape), overwrite=overwrite,
    )  # fmt: skip
    if as_json:
        print_json(made.to_json())
        return
    for text in made.notes:
        note(text)
    network, console = made.model.network, make_console()
    console.print(
        f"{plain(str(run))}: {how_many(len(network.nodes), 'layer')}, "
        f"{count(network.parameter_count)} parameters, input {sizes(network.input)}, "
        f"{how_many(len(made.model.labels), 'label')}",
        style="good",
    )
    if made.difference is not None:
        console.print(f"compared with {made.by}: largest difference {made.difference:.1e}")


def _sizes(text: str | None) -> tuple[int, ...] | None:
    try:
        return shape(text)
    except UsageError:
        raise UsageError(
            f"--input-shape '{text}': wanted channels,height,width such as 3,224,224"
        ) from None


def open_run(path: Path, threads: int | None = None) -> Run:
    """A run, or a network made elsewhere as one in memory."""
    from beak.exchange.importing import READERS
    from beak.runs.run import Run

    if path.suffix.lower() not in READERS:
        return Run(path, threads)
    from beak.exchange.import_run import import_network

    made: Any = import_network(path)
    for text in made.notes:
        note(text)
    return Run.of(made.model, threads)
