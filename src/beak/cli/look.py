"""``beak look``: open a trained network in the browser, down to the last multiply-add."""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path

import click

from beak.cli.console import note, print_json
from beak.cli.options import command, data_dir_option, json_option, threads_option
from beak.errors import UsageError


@command
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--html",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the page as one file that needs no server.",
)
@click.option(
    "--input", "inputs", metavar="PATH", multiple=True, help="With --html: an input in it."
)
@click.option("--data", "source", metavar="SOURCE", help="Examples to show (the run's own).")
@click.option(
    "--beside", metavar="RUN", multiple=True, type=click.Path(path_type=Path),
    help="Another run to set beside it; may be given several times.",
)  # fmt: skip
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0: a free one.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@threads_option
@data_dir_option
@json_option
def look(
    run: Path,
    file: Path | None,
    inputs: tuple[str, ...],
    source: str | None,
    beside: tuple[Path, ...],
    host: str,
    port: int,
    no_browser: bool,
    threads: int | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Look into a trained network in the browser.

    RUN is a run directory, its model.safetensors, or the ONNX file of a network made elsewhere
    (with labels and preparation: beak import). The page shows the network with every layer's
    maps for your own input, and opens any number down to the multiply-adds that made it.

    Only this machine can reach the page; with --host another may, by the token in the address.
    """
    from beak.cli.importing import open_run
    from beak.runs.model import find_model, load_model
    from beak.web.session import Session
    from beak.web.show import has_browser

    trained = open_run(run, threads)
    if file is not None:
        from beak.cli.look_file import write_page

        return write_page(Session(trained, source, data_dir), file, inputs, as_json)
    if inputs:
        raise UsageError("--input: what is put into a file; it goes with --html")
    from beak.web.server import is_local, serve

    others = {f"epoch {epoch}": path for epoch, path in trained.epochs.items()}
    for path in beside:
        name = load_model(path).name  # says before all else that there is none
        others[distinct(name, {*others, trained.model.name})] = find_model(path)
    served = serve(Session(trained, source, data_dir, others), host, port)

    def ready() -> None:
        if as_json:
            print_json({"address": served.address})
            sys.stdout.flush()
        else:
            click.echo(served.address)
            note("Ctrl-C stops it")
        if not is_local(host):
            note("others reach it by this address; the connection is not encrypted")
        if not no_browser and not as_json and has_browser():
            webbrowser.open(served.address)

    served.run(ready)


def distinct(name: str, taken: set[str]) -> str:
    """The name, or with a number behind it where it is taken.

    >>> distinct("digits", {"digits", "digits (2)"})
    'digits (3)'
    """
    tries = (name if number == 1 else f"{name} ({number})" for number in range(1, len(taken) + 2))
    return next(one for one in tries if one not in taken)
