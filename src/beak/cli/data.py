"""``beak data``: the built-in sets."""

from __future__ import annotations

from pathlib import Path

import click

from beak.cli.console import make_console, print_json
from beak.cli.options import command, data_dir_option, json_option
