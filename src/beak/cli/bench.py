"""``beak bench``: how fast a network runs on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from beak.cli.console import count, how_many, make_console, percent, print_json
from beak.cli.options import (
    classes_option,
    command,
    exact_option,
    input_option,
    json_option,
    shape,
    threads_option,
)
from beak.cli.summary import find_network

if TYPE_CHECKING:
    from rich.table import Table

    from beak.engine.measure import Speed
    from beak.network.network import Network

BATCH = 128
WAYS = {"train": "training", "forward": "answers"}


@command
@click.argument("what", metavar="[RUN|NETWORK|FILE.json]", default="lecture")
@input_option
@classes_option
@click.option(
    "--batch", type=click.IntRange(min=1), default=BATCH, metavar="N", help="Examples at a time."
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=2.0,
    metavar="S",
    help="How long each speed is measured.",
)
@click.option(
    "--serve", "over_http", is_flag=True, help="RUN as beak serve answers it, asked over HTTP."
)
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, help="--serve: how many processes."
)
@click.option(
    "--connections", type=click.IntRange(1, 512), default=64, help="--serve: how many ask at once."
)
@threads_option
@exact_option
@json_option
def bench(
    what: str,
    input_text: str | None,
    classes: int | None,
    batch: int,
    seconds: float,
    over_http: bool,
    workers: int,
    connections: int,
    threads: int | None,
    exact: bool,
    as_json: bool,
) -> None:
    """How fast a network runs here: training, answers, each layer; over HTTP with --serve.

    RUN, NETWORK or FILE.json as in beak summary; left out, it is the lecture's network.

    The share of the peak is of what the cores can multiply and add at most; layers count as dense
    work, so that kernels that save work can pass 100 %. PyTorch runs beside where it is installed,
    eager, in its better layout. Close other programs first.

    With --serve, RUN is served on this machine and asked with made files over so many connections,
    each again as soon as it has its answer: requests a second, half of them and 99 in 100 answered
    within. The client takes a share of this machine's time.
    """
    if over_http:
        from beak.cli.bench_serve import bench_serve

        bench_serve(
            what, workers=workers, connections=connections, seconds=seconds, threads=threads,
            exact=exact, as_json=as_json,
        )  # fmt: skip
        return
    from beak.engine.measure import measure
    from beak.ops.kernel import default_threads, instruction_set
    from beak.ops.peak.kernels import fma_peak

    network = find_network(what, shape(input_text), classes)
    threads = threads or default_threads()
    peak = fma_peak(threads)
    speeds = {
        way: measure(network, batch, way, threads=threads, seconds=seconds, exact=exact)
        for way in ("train", "forward")
    }
    peers = torch_rates(network, batch, threads, seconds)
    machine = {"threads": threads, "instruction_set": instruction_set(), "peak": peak}
    if as_json:
        print_json(told(what, batch, machine, speeds, peers))
        return
    console = make_console()
    console.print(
        f"{what}, {count(batch)} at a time, {how_many(threads, 'thread')}, "
        f"{machine['instruction_set']}, peak {peak / 1e9:.0f} GFLOPS\n"
    )
    console.print(rates_table(speeds, peers, peak))
    console.print()
    console.print(layers_table(speeds, peak))
    if not peers:
        console.print("\nPyTorch is not installed: nothing beside.", style="dim")


def torch_rates(
    network: Network, batch: int, threads: int, seconds: float
) -> dict[str, dict[str, Any]]:
    """PyTorch's best examples a second for each way; {} where it is not installed."""
    from importlib.util import find_spec

    if find_spec("torch") is None:
        return {}
    from beak.engine.measure import example_batch, seconds_a_step
    from beak.engine.torch_bench import torch_steps

    batches = [example_batch(network, batch, seed) for seed in range(4)]
    found = {}
    for way in WAYS:
        taken = {
            setting: seconds_a_step(step, seconds / 3)
            for setting, step in torch_steps(network, batches, way, threads=threads)
        }
        setting = min(taken, key=lambda name: taken[name])
        found[way] = {"rate": batch / taken[setting], "setting": setting}
    return found


def told(
    what: str,
    batch: int,
    machine: dict[str, Any],
    speeds: dict[str, Speed],
    peers: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    """Everything for programs."""
    peak = machine["peak"]
    ways = {
        way: {
            "examples_per_second": speed.rate,
            "share_of_peak": speed.rate * speed.operations / peak,
            "layers": [{**vars(x), "share_of_peak": x.share(peak)} for x in speed.layers],
            "torch": peers.get(way),
        }
        for way, speed in speeds.items()
    }
    return {"network": what, "batch": batch, **machine, **ways}


def rates_table(speeds: dict[str, Speed], peers: dict[str, dict[str, Any]], peak: float) -> Table:
    """Examples a second for both ways, and PyTorch's."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("", style="label")
    for name in ("examples a second", "of the peak", "PyTorch", "times"):
        table.add_column(name, justify="right", no_wrap=True)
    for way, speed in speeds.items():
        share = percent(speed.rate * speed.operations / peak)
        other = peers.get(way)
        beside = [count(other["rate"]), f"{speed.rate / other['rate']:.1f}"] if other else ["", ""]
        table.add_row(WAYS[way], count(speed.rate), share, *beside)
    return table


def layers_table(speeds: dict[str, Speed], peak: float) -> Table:
    """Where a training step's time goes, and each layer's share of the peak."""
    from rich.table import Table

    speed = speeds["train"]
    whole = sum(layer.seconds for layer in speed.layers)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("\na training step", style="label", overflow="fold")
    for name in ("forward\nus", "backward\nus", "of the\ntime", "of the\npeak"):
        table.add_column(name, justify="right", no_wrap=True)
    for layer in speed.layers:
        share = layer.share(peak)
        table.add_row(
            layer.layer,
            f"{1e6 * layer.forward:,.0f}" if layer.forward else "",
            f"{1e6 * layer.backward:,.0f}" if layer.backward else "",
            percent(layer.seconds / whole),
            "" if share is None else f"{100 * share:.0f} %",
        )
    return table
