"""``beak networks``: the catalogue."""

from __future__ import annotations

import click

from beak.cli.console import count, make_console, on_terminal, print_json, sizes
from beak.cli.options import command, json_option, shape

USUAL = "pictures of 1x28x28, texts of 60 words (30,000 known) or 400 bytes,"


@command
@click.option(
    "--input", "input_text", metavar="C,H,W", help="Input to size for; else each one's usual."
)
@click.option(
    "--classes", type=click.IntRange(min=2), metavar="N", help="How many classes; else the usual."
)
@json_option
def networks(input_text: str | None, classes: int | None, as_json: bool) -> None:
    """The catalogue of networks, with their size for one input.

    Train one with  beak train SOURCE --network NAME,  see one with  beak summary NAME.
    """
    from beak.errors import BeakError
    from beak.network.catalogue import CATALOGUE, make_network

    given = shape(input_text)
    rows: list[tuple[str, str, int | None, int | None]] = []
    for name, entry in CATALOGUE.items():
        try:
            made = make_network(name, given or entry.usual, classes or entry.classes)
            rows.append((name, entry.description, made.parameter_count, made.multiply_adds))
        except BeakError:  # this input is too small for it
            rows.append((name, entry.description, None, None))
    if as_json:
        for name, description, parameters, work in rows:
            print_json(
                {
                    "name": name,
                    "description": description,
                    "parameters": parameters,
                    "multiply_adds": work,
                }
            )
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("network", style="label", no_wrap=True)
    table.add_column("what it is")
    table.add_column("parameters", justify="right")
    table.add_column("multiply-adds", justify="right", no_wrap=True)
    for name, description, parameters, work in rows:
        cells = [count(n) if n is not None else "does not fit" for n in (parameters, work)]
        table.add_row(name, description, *cells)
    console = make_console()
    console.print(table)
    if on_terminal():
        console.print(
            f"\nSizes for {sizes(given) if given else USUAL} and {classes or 10} classes (Go: 361)."
            "  beak summary NAME shows one layer by layer.",
            style="dim",
        )
