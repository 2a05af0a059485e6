"""``beak serve``: a trained network as an HTTP service."""

from __future__ import annotations

import contextlib
import secrets
import sys

import click

from beak.cli.console import note, print_json
from beak.cli.options import command, exact_option, json_option, threads_option
from beak.errors import UsageError

PORT = 8000
MEGA = 1 << 20


@command
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, help="0: a free one.")
@click.option(
    "--workers", type=click.IntRange(1, 256), default=1, metavar="N", help="How many processes."
)
@click.option(
    "--token",
    envvar="BEAK_TOKEN",
    metavar="TOKEN",
    help="What each request must bring; better in the variable BEAK_TOKEN. Beyond this machine "
    "one is made where none is given.",
)
@click.option(
    "--public-url", metavar="URL", help="Where a proxy has it: https://example.org/digits"
)
@click.option(
    "--allow-origin", "origins", metavar="SITE", multiple=True, help="A site whose pages may ask."
)
@click.option("--max-megabytes", type=click.FloatRange(min=0, min_open=True), default=32.0,
              help="Of one request.")  # fmt: skip
@click.option("--max-pixels", type=click.IntRange(min=1), default=25_000_000,
              help="Of one picture, unpacked.")  # fmt: skip
@click.option("--max-seconds", type=click.FloatRange(min=0, min_open=True), default=600.0,
              help="Of one recording.")  # fmt: skip
@click.option("--timeout", type=click.FloatRange(min=1), default=30.0, metavar="SECONDS",
              help="Of one request.")  # fmt: skip
@click.option("--queue", type=click.IntRange(min=1), default=1024, metavar="N",
              help="Inputs that wait in a worker; more are refused with 503.")  # fmt: skip
@threads_option
@exact_option
@json_option
def serve(
    runs: tuple[str, ...],
    host: str,
    port: int,
    workers: int,
    token: str | None,
    public_url: str | None,
    origins: tuple[str, ...],
    max_megabytes: float,
    max_pixels: int,
    max_seconds: float,
    timeout: float,
    queue: int,
    threads: int | None,
    exact: bool,
    as_json: bool,
) -> int:
    """Serve trained networks over HTTP: raw files in, labels and probabilities out.

    RUN is a run directory or its model.safetensors, or NAME=RUN to call it otherwise. A run that is
    trained again is taken without a pause. The page at / tries it; /openapi.json describes it.

    Such as: curl -F file=@cat.jpg http://127.0.0.1:8000/predict

    Only this machine reaches it; with --host others do, by the token.
    """
    from beak.ops.kernel import default_threads
    from beak.web.server import is_local, listen
    from beak.web.service import serve_until_stopped
    from beak.web.service_counts import Counts
    from beak.web.service_door import Door, public, site
    from beak.web.service_limits import Bounds
    from beak.web.service_models import sources
    from beak.web.service_worker import Setting

    found = sources(runs)
    name, prefix = public(public_url) if public_url else ("", "")
    token = checked_token(token)
    if token is None and not is_local(host):
        token = secrets.token_urlsafe(18)
    listening = listen(host, port)
    port = int(listening.getsockname()[1])
    door = Door(port, token, (name,) if name else (), tuple(map(site, origins)), prefix)
    bounds = Bounds(
        most_bytes=round(max_megabytes * MEGA), pixels=max_pixels, seconds=max_seconds,
        timeout=timeout, queue=queue,
    )  # fmt: skip
    counts = Counts([source.name for source in found], workers)
    each = threads or max(1, default_threads() // workers)
    setting = Setting(listening, found, door, bounds, counts, each, exact)
    shown = f"[{host.strip('[]')}]" if ":" in host else host
    address = f"http://{shown}:{port}{prefix}/"

    def ready() -> None:
        with contextlib.suppress(OSError):  # a full disk under its logs does not end a service
            if as_json:
                names = [each.name for each in found]
                print_json({"address": address, "token": token, "runs": names})
            else:
                click.echo(address + (f"?token={token}" if token else ""))
                note("Ctrl-C stops it")
            sys.stdout.flush()

    return serve_until_stopped(setting, workers, ready)


def checked_token(token: str | None) -> str | None:
    """A token that can stand in a header and in an address. UsageError."""
    if token is not None and (len(token) < 8 or not token.isascii() or not token.isprintable()
                              or not all(c.isalnum() or c in "-._~" for c in token)):  # fmt: skip
        raise UsageError("--token: at least 8 letters, digits or -._~ were wanted")
    return token
