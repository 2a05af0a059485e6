"""``beak pull``: a run from the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from beak.cli.console import count, how_many, make_console, plain, print_json
from beak.cli.options import command, json_option


@command
@click.argument("repository", metavar="OWNER/NAME")
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--revision", metavar="NAME", help="A branch, tag or commit (the main branch).")
@json_option
def pull(repository: str, run: Path, revision: str | None, as_json: bool) -> None:
    """Get a trained run from the Hugging Face hub into the new directory RUN.

    Every file is checked before it stands there; no file of beak's can execute anything, and pages
    from strangers are left out. Needs the extra hub.
    """
    from beak.exchange.hub import pull as pulled
    from beak.runs.model import load_model

    directory = pulled(repository, run, revision=revision)
    model = load_model(directory.path)
    if as_json:
        files = sorted(path.name for path in directory.path.iterdir())
        print_json({"run": str(directory.path), "files": files, "labels": list(model.labels)})
        return
    console = make_console()
    console.print(plain(str(directory.path)), style="good")
    console.print(
        f"{count(model.network.parameter_count)} weights, {how_many(len(model.labels), 'label')}; "
        f"what it is: beak summary {quote(str(directory.path))}"
    )
