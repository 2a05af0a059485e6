"""The rooms of docs/house.md hold: nobody imports upward, sideways or from an unlisted package."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "beak"


def table() -> dict[str, tuple[int, set[str], set[str]]]:
    rooms = {}
    for line in (ROOT / "docs" / "house.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and cells[0].isdigit():
            ours, outside = ({w.strip() for w in c.split(",") if w.strip()} for c in cells[2:4])
            rooms[cells[1]] = (int(cells[0]), ours, outside)
    return rooms


ROOMS = table()


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def sources() -> list[Path]:
    """All files of the rooms but their tests; the face and __main__ are no room."""
    return [
        path
        for path in sorted(SOURCE.rglob("*.py"))
        if not path.name.startswith(("test_", "bench_", "conftest"))
        and (path.parent != SOURCE or path.name in ("errors.py", "shapes.py"))
    ]


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the whole path"
            base = node.module or ""
            for alias in node.names:
                file = SOURCE.parent.joinpath(*base.split("."), f"{alias.name}.py")
                found.add(f"{base}.{alias.name}" if base == "beak" or file.exists() else base)
    return found


def test_the_table_lists_every_room():
    there = {p.name.removesuffix(".py") for p in SOURCE.iterdir() if not p.name.startswith("__")}
    assert there - {"py.typed"} == set(ROOMS)


def test_the_table_itself_only_points_downward():
    for room, (floor, ours, _) in ROOMS.items():
        for other in ours:
            below = ROOMS[other][0] < floor or (room, other) == ("shapes", "errors")
            assert below, f"{room} may not import {other}: not below it"


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_file_imports_only_what_its_room_may(path):
    room = room_of(path)
    _, ours, outside = ROOMS[room]
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top == "beak":
            other = rest.split(".")[0]
            assert other in ROOMS, f"{path}: imports beak's face"
            assert other in ours | {room}, f"{path}: {room} may not import {other}"
            assert name != f"beak.{room}", f"{path}: imports its own room's face"
        elif top not in sys.stdlib_module_names:
            assert top in outside, f"{path}: {room} may not import {top}"


def test_of_the_engines_files_those_named_torch_alone_import_torch():
    """The native engine must run where torch is not installed."""
    engine = [path for path in sources() if room_of(path) == "engine"]
    found = {path.name for path in engine if any(n.split(".")[0] == "torch" for n in imports(path))}
    assert found
    assert all(name.startswith("torch") for name in found)


def test_no_other_file_of_the_engine_loads_one_of_these_with_itself():
    for path in sources():
        if room_of(path) == "engine" and not path.name.startswith("torch"):
            for node in ast.parse(path.read_text()).body:
                module = getattr(node, "module", None) or ""
                assert not module.startswith("beak.engine.torch"), path
