"""docs/networks.md tells the truth: its examples run, its tables are the code's."""

from __future__ import annotations

import doctest
import inspect
from pathlib import Path

import pytest

from beak.network.catalogue import CATALOGUE
from beak.network.layers import ACTIVATIONS, LAYERS

PAGE = (Path(__file__).parents[2] / "docs" / "networks.md").read_text()


def test_the_pages_examples_give_what_it_prints():
    text = "\n".join("" if line.startswith("```") else line for line in PAGE.splitlines())
    test = doctest.DocTestParser().get_doctest(text, {}, "networks.md", None, 0)
    assert len(test.examples) >= 25
    report: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    assert not report, "".join(report)


def test_the_page_names_every_layer_activation_and_network():
    for name in [*LAYERS, *ACTIVATIONS, *CATALOGUE]:
        assert f"`{name}" in PAGE, f"docs/networks.md does not name {name}"


@pytest.mark.parametrize(
    "name", ["Conv2D", "MaxPool2D", "Dense", "BatchNorm", "Embedding", "Pad", "Upsample", "Reshape"]
)
def test_the_page_writes_layers_with_their_fields_and_defaults(name):
    fields = inspect.signature(LAYERS[name]).parameters.values()
    wanted = [
        f.name if f.default is f.empty else f"{f.name}={f.default!r}".replace("'", '"')
        for f in fields
        if f.name not in ("name", "inputs")
    ]
    assert f"`{name}({', '.join(wanted)})`".replace("1e-05", "1e-5") in PAGE


def test_the_pages_least_sizes_are_the_catalogues():
    for name, entry in CATALOGUE.items():
        line = next(row for row in PAGE.splitlines() if row.startswith("|") and f"`{name}`" in row)
        least = f"{entry.least}x{entry.least}" if entry.least > 1 else "any"
        assert line.endswith(f"| {least} |"), line
