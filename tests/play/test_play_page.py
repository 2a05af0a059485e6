"""docs/play.md names what there is."""

from __future__ import annotations

import re
from pathlib import Path

from beak.cli.play import play
from beak.play.gtp import COMMANDS
from beak.play.rulesets import RULESETS

PAGE = (Path(__file__).parents[2] / "docs" / "play.md").read_text()


def test_every_command_stands_on_the_page_and_no_other():
    table = PAGE.split("## GTP")[1].split("## ")[0]
    assert set(re.findall(r"`([a-z][\w-]+)`", table)) == set(COMMANDS)


def test_every_option_and_ruleset_stands_on_the_page():
    common = {"--threads", "--exact", "--traceback", "--help", "--color"}
    options = {name for p in play.params for name in p.opts if name.startswith("--")} - common
    assert options <= set(re.findall(r"--[a-z]+", PAGE))
    assert all(f"`{name}`" in PAGE for name in RULESETS)
