"""Word vectors of others: every form of file, what is told, and what becomes of them."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from beak.data.vectors import dimensions_of, read_vectors
from beak.errors import DataError, UsageError
from beak.train.prepare import prepare
from beak.train.train import train
from beak.train.words import start_of
from tests.train.text_cases import GOOD, write

WORDS = ("fine", "dull", "New York", "zoë")


def vector(i):
    return np.arange(i, i + 5, dtype=np.float32) / 8


def binary():
    rows = b"".join(w.replace(" ", "_").encode() + b" " + vector(i).tobytes() + b"\n"
                    for i, w in enumerate(WORDS))  # fmt: skip
    return b"4 5\n" + rows


def lines(header):
    rows = "".join(f"{w} {' '.join(map(str, vector(i)))}\n" for i, w in enumerate(WORDS))
    return (("4 5\n" if header else "") + rows).encode()


def safetensors():
    table = np.stack([vector(i) for i in range(4)])
    head = {
        "__metadata__": {"words": json.dumps(WORDS)},
        "embeddings": {"dtype": "F32", "shape": [4, 5], "data_offsets": [0, table.nbytes]},
    }
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + table.tobytes()


FILES = {
    "a.bin": binary(), "a.vec": lines(True), "glove.txt": lines(False),
    "a.safetensors": safetensors(),
}  # fmt: skip


@pytest.mark.parametrize("name", list(FILES))
def test_vectors_of_every_form(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(FILES[name])
    assert dimensions_of(path) == 5
    found = read_vectors(path, {"zoë": 0, "unheard": 1, "fine": 2})
    assert found.found.tolist() == [True, False, True]
    np.testing.assert_allclose(found.values, [vector(3), np.zeros(5), vector(0)])
    if name == "glove.txt":
        assert read_vectors(path, {"New York": 0}).found.all()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"It was late.\nNobody spoke.\n", "no word vectors"),
        (b"\x1f\x8bxx", "packed; unpack it first"),
        (binary()[:40], "cut short: 1 of 4 vectors are there"),
        (b"", "no word vectors"),
    ],
)
def test_a_file_that_holds_no_vectors_is_one_line(tmp_path, content, said):
    path = tmp_path / "v.bin"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_vectors(path, {"zoë": 0})
    with pytest.raises(UsageError, match="there is no such file"):
        dimensions_of(tmp_path / "not there")


def test_broken_lines_of_vectors_are_skipped_and_counted(tmp_path):
    path = tmp_path / "v.txt"
    path.write_text("fine 1 2 3\ndull 1 x 3\nshort 1\nflat nan 2 3\nbright 4 5 6\n")
    found = read_vectors(path, {"fine": 0, "dull": 1, "flat": 2, "bright": 3})
    assert found.found.tolist() == [True, False, False, True]
    assert found.skipped == 2


@pytest.mark.parametrize("channels", ["static", "non-static", "multichannel"])
def test_vectors_start_the_network_and_static_ones_stay(tmp_path, channels):
    path = tmp_path / "v.txt"
    words = enumerate((*GOOD, "dull"))
    rows = {word: np.random.default_rng(i).normal(size=12) for i, word in words}
    path.write_text("".join(f"{w} {' '.join(map(str, v))}\n" for w, v in rows.items()))
    events = []
    run = train(
        write(tmp_path / "d"), network="sentence", out=tmp_path / "run", listen=events.append,
        set={"epochs": 1, "network.filters": 4, "network.channels": channels,
             "data.vectors": str(path)},
    )  # fmt: skip
    told = next(e["text"] for e in events if e["event"] == "note" and "vectors" in e["text"])
    assert f"4 of {len(run.model.spec.words)} words" in told
    model = run.model
    name = "words_static" if channels == "multichannel" else "words"
    weight = model.parameters[f"{name}.weight"]
    assert weight.shape[1] == 12
    same = np.allclose(weight[model.spec.places["fine"]], rows["fine"], atol=1e-6)
    assert same == (channels != "non-static")


def test_vectors_of_another_size_than_the_network_are_refused(tmp_path):
    (tmp_path / "v.txt").write_text("fine 1 2 3\n")
    values = {"data.vectors": str(tmp_path / "v.txt"), "network.dimensions": 4}
    ready = prepare(write(tmp_path / "d"), values, "sentence")
    with pytest.raises(UsageError, match=r"vectors of 3 numbers, the network's have 4; --set"):
        start_of(ready.network, ready.dataset, ready.recipe)


@pytest.mark.parametrize("name", ["large.bin", "large.txt", "large.safetensors"])
def test_a_large_file_is_read_without_loading_all_of_it(tmp_path, name):
    """20,000 vectors of 50 numbers are 4 MB as numbers and 10 as text; three words are wanted."""
    import tracemalloc

    count, table = 20_000, np.random.default_rng(0).normal(size=(20_000, 50)).astype("<f4")
    path = tmp_path / name
    if name.endswith("bin"):
        rows = (f"w{i} ".encode() + row.tobytes() + b"\n" for i, row in enumerate(table))
        path.write_bytes(f"{count} 50\n".encode() + b"".join(rows))
    elif name.endswith("txt"):
        rows = (f"w{i} {' '.join(map(str, row))}\n" for i, row in enumerate(table.tolist()))
        path.write_text("".join(rows))
    else:
        (tmp_path / "vocab.txt").write_text("\n".join(f"w{i}" for i in range(count)))
        entry = {"dtype": "F32", "shape": [count, 50], "data_offsets": [0, table.nbytes]}
        head = json.dumps({"table": entry}).encode()
        path.write_bytes(struct.pack("<Q", len(head)) + head + table.tobytes())
    tracemalloc.start()
    found = read_vectors(path, {"w3": 0, "w19999": 1, "unheard": 2})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.found.tolist() == [True, True, False]
    np.testing.assert_allclose(found.values[:2], table[[3, 19999]], rtol=1e-5)
    assert peak < 3e6
