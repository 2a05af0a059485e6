"""What ``beak summary --plan`` shows: the kernel calls that run a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beak.cli.console import count, make_console, print_json

if TYPE_CHECKING:
    from rich.table import Table

    from beak.engine.rows import PlanRow
    from beak.network.network import Network

WAYS = {"prepare": "when weights change", "forward": "forward", "backward": "backward"}


def show_plan(network: Network, batch: int, train: bool, exact: bool, as_json: bool) -> None:
    """The table for batches of one size: for answers, or for a training step."""
    from beak.engine.rows import plan_rows
    from beak.ops.kernel import instruction_set

    rows = plan_rows(network, batch, "train" if train else "forward", exact=exact)
    if as_json:
        for row in rows:
            print_json(row.to_json())
        return
    console = make_console()
    console.print(plan_table(rows))
    moved, work = sum(row.bytes for row in rows), sum(row.operations for row in rows)
    console.print(
        f"\n{len(rows)} calls for {count(batch)} examples with {instruction_set()}: "
        f"{quantity(moved)}B named, {quantity(work)}FLOP as dense work"
    )


def plan_table(rows: list[PlanRow]) -> Table:
    """One row for each call; a way's name stands before its first call."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("layer", style="label", overflow="fold")
    table.add_column("kernel", overflow="fold")
    table.add_column("sizes", overflow="fold", style="dim")
    for name in ("parts", "bytes", "operations"):
        table.add_column(name, justify="right", no_wrap=True)
    way = ""
    for row in rows:
        if row.way != way:
            way = row.way
            table.add_row(f"[{WAYS.get(way, way)}]", style="dim")
        work = quantity(row.operations) if row.operations else ""
        table.add_row(
            row.layer, row.kernel, sizes_text(row), count(row.parts), quantity(row.bytes), work
        )
    return table


def sizes_text(row: PlanRow) -> str:
    """The call's numbers as 'in_h=28 in_w=28 …'; those that are 0 or 1 are left out."""
    return " ".join(f"{name}={value}" for name, value in row.sizes.items() if value not in (0, 1))


def quantity(number: float) -> str:
    """1234567 -> '1.2 M'."""
    for unit in ("", "K", "M", "G"):
        if number < 1000:
            return f"{number:.3g} {unit}" if unit else f"{number:.0f}"
        number /= 1000
    return f"{number:,.3g} T"
