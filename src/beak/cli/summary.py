"""``beak summary``: a network layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from beak.cli.console import count, make_console, print_json, sizes
from beak.cli.options import (
    classes_option,
    command,
    exact_option,
    input_option,
    json_option,
    shape,
)
from beak.cli.paths import nearest_path
from beak.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from rich.table import Table

    from beak.network.network import Network
    from beak.network.summary import Row, Summary

WIDE = 100
"""Columns of a terminal from which on a layer's kind has room."""


@command
@click.argument("what", metavar="RUN|NETWORK|FILE.json")
@input_option
@classes_option
@click.option("--plan", is_flag=True, help="Instead: the kernel calls that run it here.")
@click.option(
    "--batch", type=click.IntRange(min=1), metavar="N", help="With --plan: examples at a time (1)."
)
@click.option("--training", is_flag=True, help="With --plan: of a training step.")
@exact_option
@json_option
def summary(
    what: str,
    input_text: str | None,
    classes: int | None,
    plan: bool,
    batch: int | None,
    training: bool,
    exact: bool,
    as_json: bool,
) -> None:
    """A network layer by layer: shapes, parameters, work.

    RUN is a run directory or its model.safetensors, NETWORK a name of the catalogue (beak
    networks), FILE.json a network written as JSON. "fully connected" is how many parameters it
    would take to compute the same map with every input joined to every output, and how many times
    more that is.
    """
    from beak.network.summary import summarise

    if not plan and (batch or training or exact):
        raise UsageError("--batch, --training and --exact go with --plan")
    network = find_network(what, shape(input_text), classes)
    if plan:
        from beak.cli.plan import show_plan

        show_plan(network, batch or 1, training, exact, as_json)
        return
    told = summarise(network)
    if as_json:
        print_json(told.to_json())
        return
    console = make_console()
    console.print(table_of(told, console.width))
    console.print(totals(told))


def find_network(what: str, input_shape: tuple[int, ...] | None, classes: int | None) -> Network:
    """The network of a run, of a JSON file, or of the catalogue."""
    from beak.network.catalogue import CATALOGUE, make_network

    path = Path(what)
    if path.is_dir() or path.suffix in (".json", ".safetensors"):
        if input_shape is not None or classes is not None:
            raise UsageError("--input and --classes are for a network by name; a file says its own")
        if path.suffix == ".json":
            from beak.network.network import Network

            return Network.from_file(path)
        from beak.runs.model import load_model

        return load_model(path).network
    if what not in CATALOGUE:
        nearest = nearest_path(path) or did_you_mean(what, CATALOGUE)
        raise UsageError(f"'{what}' is neither a run, a JSON file nor a network's name{nearest}")
    entry = CATALOGUE[what]
    return make_network(what, input_shape or entry.usual, classes or entry.classes)


def table_of(told: Summary, width: int) -> Table:
    """One row for each layer; on a narrow terminal without the kinds, which the names tell."""
    from rich.table import Table

    gap = (0, 2, 0, 0) if width >= WIDE else (0, 1, 0, 0)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=gap)
    table.add_column("\nlayer", style="label", overflow="fold")
    if width >= WIDE:
        table.add_column("\nkind", no_wrap=True)
    for name in ("\noutput", "\nparameters", "multiply-\nadds", "receptive\nfield"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("fully\nconnected", justify="right", overflow="fold")
    table.add_row("input", *[""] * (width >= WIDE), sizes(told.input), style="dim")
    for row in told.rows:
        table.add_row(
            row.name,
            *[f"{row.operator}, a box" if row.operator else row.kind] * (width >= WIDE),
            sizes(row.output),
            count(row.parameters) if row.parameters else "",
            count(row.multiply_adds) if row.multiply_adds else "",
            sizes(row.receptive_field),
            twin(row),
        )
    return table


def twin(row: Row) -> str:
    """'13,266,500 (53,066x)': the fully connected twin, and how many times more that is."""
    times = row.times_smaller
    return f"{count(row.dense_parameters)} ({count(times)}x)" if times else ""


def totals(told: Summary) -> str:
    """The line under the table."""
    said = f"{count(told.parameters)} parameters, {count(told.multiply_adds)} multiply-adds"
    times = told.times_smaller
    if times and times > 1:
        said += f"; fully connected {count(told.dense_parameters)} ({count(times)}x)"
    return "\n" + said
