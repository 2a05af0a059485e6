"""The table from a file's ending to its reader."""

from __future__ import annotations

import numpy as np
import pytest

from beak.errors import UsageError
from beak.exchange import importing
from beak.exchange.importing import Imported, read_network
from beak.network.layers import Dense
from beak.network.network import Network


def test_the_ending_chooses_the_reader_in_capitals_too(tmp_path, monkeypatch):
    seen = []

    def reader(path, shape):
        seen.append((path, shape))
        return Imported(Network((2,), [Dense(3)]), {"dense1.weight": np.zeros((3, 2))})

    monkeypatch.setitem(importing.READERS, ".odd", reader)
    (tmp_path / "a.ODD").write_bytes(b"")
    assert read_network(tmp_path / "a.ODD", (2,)).network.output == (3,)
    assert seen == [(tmp_path / "a.ODD", (2,))]


@pytest.mark.parametrize(
    ("name", "said"),
    [("a.txt", "read from .* files"), ("no.odd", "not there"), ("folder.odd", "no file")],
)
def test_what_is_no_such_file_is_said(tmp_path, monkeypatch, name, said):
    monkeypatch.setitem(importing.READERS, ".odd", pytest.fail)
    (tmp_path / "a.txt").write_bytes(b"")
    (tmp_path / "folder.odd").mkdir()
    with pytest.raises(UsageError, match=said):
        read_network(tmp_path / name)
