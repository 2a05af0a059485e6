"""``beak push``: a run to the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

import click

from beak.cli.console import count, make_console, plain, print_json
from beak.cli.options import command, json_option


@command
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("repository", metavar="OWNER/NAME")
@click.option("--private", is_flag=True, help="Where the repository is made: for you alone.")
@click.option("--no-report", is_flag=True, help="Without report.html, which shows test examples.")
@json_option
def push(run: Path, repository: str, private: bool, no_report: bool, as_json: bool) -> None:
    """Send a trained run to the Hugging Face hub, as OWNER/NAME.

    Sent are model.safetensors, README.md (the model card), recipe.toml, history.jsonl and
    report.html; no data, no checkpoint, and of this machine's paths only their last part. The
    token is the one of hf auth login, or HF_TOKEN. Needs the extra hub.
    """
    from beak.exchange.hub import push as pushed

    made = pushed(run, repository, private=private, report=not no_report)
    if as_json:
        print_json(made.to_json())
        return
    console = make_console()
    console.print(f"{plain(made.address)}", style="good")
    console.print(f"{', '.join(made.files)}: {count(made.size)} bytes")
