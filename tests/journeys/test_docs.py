"""The examples in the README and the docs run, page by page, in the order of the page."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest

from beak.cli.group import run as beak
from beak.keras.utils import clear_session

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


ELSEWHERE = ("sh", "js", "py", "html", "c")
"""What test_docs_elsewhere.py runs: it needs a service, a browser or a compiler."""


def blocks(page: Path) -> list[tuple[str, str]]:
    found = BLOCK.findall(page.read_text())
    return [(kind, text) for kind, text in found if kind not in ("text", *ELSEWHERE)]


WITH_EXAMPLES = [page for page in PAGES if blocks(page)]


def in_short(words: list[str]) -> list[str]:
    """A training on the page runs to its end; here one epoch says whether the line is right."""
    if words[:1] == ["train"] and not {"--epochs", "--resume", "--find-lr"} & set(words):
        return [*words, "--epochs", "1"]
    return words


def run_line(line: str) -> None:
    program, *words = shlex.split(line)
    if program == "make":
        return  # the Makefile's verbs are what runs this test
    assert program in ("beak", ".venv/bin/beak"), f"no test knows how to run: {line}"
    assert beak(in_short(words)) == 0, line


def run_session(text: str, page: Path, names: dict[str, object]) -> None:
    session = doctest.DocTestParser().get_doctest(text, names, page.name, str(page), 0)
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    said: list[str] = []
    assert runner.run(session, out=said.append, clear_globs=False).failed == 0, "".join(said)
    names.update(session.globs)


def test_there_are_pages_with_examples():
    assert {page.name for page in WITH_EXAMPLES} >= {"README.md", "pictures.md", "networks.md"}


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_run(page, workplace):
    (workplace / "photos" / "disc").rename(workplace / "photos" / "cat")
    (workplace / "photos" / "stripes").rename(workplace / "photos" / "dog")
    names: dict[str, object] = {}
    if page.stem == "torch":
        pytest.importorskip("torch")
    if page.stem == "keras":
        clear_session()  # layers are numbered through a whole program
    for kind, text in blocks(page):
        if text.startswith(">>> "):
            run_session(text, page, names)
        elif kind == "python":
            exec(compile(text, str(page), "exec"), names)
        else:
            lines = [line[2:] for line in text.splitlines() if line.startswith("$ ")]
            assert lines, f"{page.name}: a {kind} block without a line to type"
            for line in lines:
                run_line(line)


def test_pages_link_to_files_that_are_there():
    for page in PAGES:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
