"""``beak look``: open a trained network in the browser, down to the last multiply-add."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path

import click

from beak.cli.console import note, print_json
from beak.cli.options import command, data_dir_option, json_option, threads_option


@command
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--data", "source", metavar="SOURCE", help="Examples to show (the run's own).")
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0: a free one.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@threads_option
@data_dir_option
@json_option
def look(
    run: Path,
    source: str | None,
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
    from beak.web.server import is_local, serve
    from beak.web.session import Session

    served = serve(Session(open_run(run, threads), source, data_dir), host, port)

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


def has_browser() -> bool:
    """Whether there is a screen to open a browser on."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
