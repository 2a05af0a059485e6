"""The page's modules as one script: for a file that opens without a server, and for notebooks.

The modules are our own and keep to a few forms of import and export, which are all that this reads;
another form is an error here, not a page that fails in a browser.
"""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from posixpath import dirname, join, normpath

from beak.errors import UsageError

IMPORT = re.compile(
    r'^import (?:(?P<what>\{[^}]*\}|\* as \w+) from )?"(?P<path>\.{1,2}/[^"]+)";[ \t]*(?://.*)?$',
    re.M,
)
EXPORT = re.compile(r"^export (?P<kind>(?:async )?function\*?|class|const) (?P<name>\w+)", re.M)
OTHER = re.compile(r"^(?:import|export)\b.*$", re.M)


def bundle(folder: Path, entry: str) -> str:
    """A module and all that it imports, each in a scope of its own, in one script.

    The script's last value is what ``entry`` exports. Raises UsageError for modules that import
    each other in a circle, and for an import or export that is written in another way.
    """
    texts: dict[str, str] = {}
    needs: dict[str, list[str]] = {}
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        if name not in texts:
            texts[name] = (folder / name).read_text(encoding="utf-8")
            needs[name] = [_from(name, found["path"]) for found in IMPORT.finditer(texts[name])]
            waiting += needs[name]
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise UsageError(f"modules import each other in a circle: {error.args[1]}") from None
    for name in order:
        _check(name, texts)
    parts = [_scoped(name, texts[name]) for name in _in_order(order, needs, entry)]
    return "\n".join([*parts, f"return {_variable(entry)};"])


def as_function(script: str) -> str:
    """A bundle as an expression."""
    return f'(() => {{\n"use strict";\n{script}\n}})()'


def _in_order(order: list[str], needs: dict[str, list[str]], entry: str) -> list[str]:
    """As a browser runs modules: each after what it imports, in the order of its imports."""
    done: list[str] = []

    def visit(name: str) -> None:
        for other in needs[name]:
            visit(other)
        if name not in done:
            done.append(name)

    visit(entry)
    assert set(done) == set(order)
    return done


def _check(name: str, texts: dict[str, str]) -> None:
    """Every name that a module takes is one that the other gives."""
    for found in IMPORT.finditer(texts[name]):
        other, what = _from(name, found["path"]), found["what"] or ""
        given = {one["name"] for one in EXPORT.finditer(texts[other])}
        taken = {one.split()[0] for one in what.strip("{} ").split(",") if one.split()}
        missing = set() if what.startswith("*") else taken - given
        if missing:
            raise UsageError(f"{name}: {other} gives no {', '.join(sorted(missing))}")


def _scoped(name: str, text: str) -> str:
    exported: list[str] = []

    def kept(found: re.Match[str]) -> str:
        exported.append(found["name"])
        return f"{found['kind']} {found['name']}"

    inner = IMPORT.sub(lambda found: _taken(name, found), text)
    inner = EXPORT.sub(kept, inner)
    left = OTHER.search(inner)
    if left:
        raise UsageError(f"{name}: `{left[0][:60]}` is written in a way that is not bundled")
    given = ", ".join(exported)
    return f"const {_variable(name)} = (() => {{\n{inner}\nreturn {{ {given} }};\n}})();"


def _taken(name: str, found: re.Match[str]) -> str:
    module, what = _variable(_from(name, found["path"])), found["what"]
    if what is None:
        return ""
    if what.startswith("*"):
        return f"const {what.removeprefix('* as ')} = {module};"
    return f"const {re.sub(r' as ', ': ', what)} = {module};"


def _from(name: str, path: str) -> str:
    return normpath(join(dirname(name), path))


def _variable(name: str) -> str:
    return "$" + re.sub(r"\W", "_", name.removesuffix(".js"))
