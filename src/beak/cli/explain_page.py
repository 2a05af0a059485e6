"""An explanation as one HTML file that opens without a server or a network."""

from __future__ import annotations

import base64
import html
import io
import json
from typing import TYPE_CHECKING

from beak.cli.canvas import Canvas
from beak.cli.colours import number
from beak.lens.explanation import plain_facts

if TYPE_CHECKING:
    from beak.lens.explanation import Explanation

STYLE = """
:root { color-scheme: light dark; }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif;
  color: #1f2933; background: #fff; }
img { max-width: 100%; height: auto; background: #fff; border-radius: .5rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
td, th { padding: .15rem .8rem; text-align: right; border-bottom: 1px solid #d9dee4; }
td:first-child, th:first-child { text-align: left; }
pre { overflow: auto; font-size: 13px; }
@media (prefers-color-scheme: dark) { body { color: #e6eaee; background: #14181d; }
  td, th { border-color: #39424d; } }
"""
MOST_TERMS = 500


def page(told: Explanation, sheet: Canvas, name: str) -> str:
    """The HTML: the picture, the terms where there are some, the facts."""
    packed = io.BytesIO()
    sheet.finished().save(packed, "PNG", optimize=True)
    picture = base64.b64encode(packed.getvalue()).decode()
    facts = json.dumps(plain_facts(told.facts), ensure_ascii=False, indent=1)
    title = html.escape(f"{name}: {told.what}")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body>\n"
        f'<img alt="{html.escape(told.caption)}" src="data:image/png;base64,{picture}">\n'
        f"{_terms(told)}<details><summary>All facts</summary><pre>{html.escape(facts)}</pre>"
        "</details>\n</body></html>\n"
    )


def _terms(told: Explanation) -> str:
    """The terms of a cell as a table."""
    if told.what != "arithmetic":
        return ""
    rows = []
    for k in range(min(len(told["product"]), MOST_TERMS)):
        source = told.facts["sources"][int(told["source"][k])]
        place = ", ".join(str(int(i)) for i in told["index"][k][: len(source["shape"])])
        cell = f"{source['name']}[{place}]" if told["inside"][k] else "padding"
        numbers = (number(float(told[n][k])) for n in ("input", "weight", "product"))
        cells = "".join(f"<td>{text}</td>" for text in (html.escape(cell), *numbers))
        rows.append(f"<tr>{cells}</tr>")
    head = "<tr><th>one layer down</th><th>input</th><th>weight</th><th>product</th></tr>"
    more = len(told["product"]) - len(rows)
    rest = f"<p>and {more:,} more</p>" if more else ""
    return f"<table>{head}{''.join(rows)}</table>{rest}\n"
