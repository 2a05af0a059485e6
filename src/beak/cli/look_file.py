"""``beak look --html``: the page of a run as one file that needs no server."""

from __future__ import annotations

import os
from pathlib import Path

import click

from beak.cli.console import note, print_json
from beak.runs.files import write_whole
from beak.web.alone import page_alone
from beak.web.kept import some_examples
from beak.web.session import Session


def write_page(session: Session, file: Path, inputs: tuple[str, ...], as_json: bool) -> None:
    """Write the page with these inputs (paths, or texts) in it, whole or not at all."""
    there = [Path(one) if os.path.exists(one) else one for one in inputs]
    shown = [session.given(one) for one in there] or some_examples(session)
    text = page_alone(session, shown)
    whole = text.encode()
    write_whole(file, [whole])
    if as_json:
        print_json({"file": str(file), "bytes": len(whole)})
    else:
        click.echo(f"{file}  {len(whole) / 1e6:.1f} MB; opens in any browser, without beak")
        if shown and not inputs:
            note(f"{len(shown)} of the run's own examples are in it; --input puts others in")
