"""``beak data``: the built-in sets."""

from __future__ import annotations

from pathlib import Path

import click

from beak.cli.console import make_console, print_json
from beak.cli.options import command, data_dir_option, json_option


@command
@click.argument("names", metavar="[NAME...]", nargs=-1)
@data_dir_option
@json_option
def data(names: tuple[str, ...], data_dir: Path | None, as_json: bool) -> None:
    """The built-in sets of examples: where they are, how to get them.

    Each NAME (all of them) can be trained on with  beak train NAME,  which downloads it where it
    is not there yet, and checks what came. --data-dir, or $BEAK_DATA_DIR, is where sets lie.
    """
    from beak.data.builtin import BUILTIN, builtin, status

    rows = [(builtin(name), status(name, data_dir)) for name in names or BUILTIN]
    if as_json:
        for known, found in rows:
            print_json(
                {
                    "name": known.name,
                    "description": known.description,
                    "licence": known.licence,
                    "home": known.home,
                    "present": found.present,
                    "folder": str(found.folder),
                    "bytes": sum(file.size for file in known.files),
                }
            )
        return
    from rich.padding import Padding
    from rich.text import Text

    console = make_console()
    for known, found in rows:
        here = ("here", "good") if found.present else ("not here", "warning")
        console.print(Text.assemble((known.name, "label"), "  ", here))
        lines = [(known.description, ""), (f"licence: {known.licence}; {known.home}", "dim")]
        if known.files:
            lines.insert(1, (found.how, ""))
        for line, style in lines:
            console.print(Padding(Text(line, style), (0, 0, 0, 2), expand=False))
