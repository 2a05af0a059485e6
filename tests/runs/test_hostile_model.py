from __future__ import annotations

import json
import time
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from beak.errors import RunError
from beak.runs.model import load_model


def header_of(**entries: object) -> bytes:
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text


HUGE = [2**31, 2**31, 2**31]
HOSTILE = {
    "nothing": b"",
    "a length alone": (20).to_bytes(8, "little"),
    "a length of 2^64 - 1": b"\xff" * 8 + b"{}",
    "a length of 2^40": (2**40).to_bytes(8, "little") + b"{}",
    "a length beyond the end": (99).to_bytes(8, "little") + b"{}",
    "no JSON": (4).to_bytes(8, "little") + b"\xff\xfe{}",
    "deep JSON": (200_000).to_bytes(8, "little") + b'{"a":' * 40_000,
    "deep lists": (200_000).to_bytes(8, "little") + b"[" * 100_000 + b"]" * 100_000,
    "a list": (2).to_bytes(8, "little") + b"[]",
    "an array twice": (13).to_bytes(8, "little") + b'{"a":1,"a":2}',
    "metadata of numbers": header_of(__metadata__={"a": 1}),
    "metadata as a list": header_of(__metadata__=["a"]),
    "an array that is a number": header_of(a=1),
    "a field too many": header_of(a={"dtype": "F32", "shape": [], "data_offsets": [0, 4], "x": 1}),
    "a shape of 2^93": header_of(a={"dtype": "F32", "shape": HUGE, "data_offsets": [0, 2**95]}),
    "a shape of minus one": header_of(a={"dtype": "F32", "shape": [-1], "data_offsets": [4, 0]}),
    "a shape of true": header_of(a={"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}),
    "a shape of floats": header_of(a={"dtype": "F32", "shape": [1.0], "data_offsets": [0, 4]}),
    "a kind that is a list": header_of(a={"dtype": [], "shape": [], "data_offsets": [0, 4]}),
    "offsets that are text": header_of(a={"dtype": "F32", "shape": [], "data_offsets": "04"}),
    "offsets backwards": header_of(a={"dtype": "F32", "shape": [0], "data_offsets": [4, 4]}),
    "offsets beyond the end": header_of(a={"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}),
    "a name of a megabyte": header_of(**{"a" * 2**20: 1}),
    "overlapping arrays": header_of(
        a={"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
        b={"dtype": "F32", "shape": [1], "data_offsets": [2, 6]},
    )
    + bytes(6),
    "a hole between arrays": header_of(a={"dtype": "F32", "shape": [], "data_offsets": [4, 8]})
    + bytes(8),
    "more bytes than arrays": header_of() + bytes(3),
    "a pickle": b"\x80\x04\x95\x1f" + bytes(7) + b"\x8c\x05posix\x94\x8c\x06system\x94\x93.",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_is_told_in_one_line_fast_and_in_little_memory(tmp_path, check, data):
    tracemalloc.start()
    begin = time.process_time()
    assert check(data, tmp_path / "model.safetensors")
    assert time.process_time() - begin < 5
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()


def test_the_largest_header_of_brackets_is_refused_in_bounded_time_and_memory(tmp_path, check):
    text = b"[" + b"[]," * 2_700_000 + b"[]]"
    tracemalloc.start()
    begin = time.process_time()
    assert check(len(text).to_bytes(8, "little") + text, tmp_path / "m")
    assert time.process_time() - begin < 20
    assert tracemalloc.get_traced_memory()[1] < 700 << 20
    tracemalloc.stop()


def test_a_sparse_file_of_a_terabyte_is_refused(tmp_path):
    with open(tmp_path / "m", "wb") as file:
        file.write(header_of(a={"dtype": "U8", "shape": [2**40], "data_offsets": [0, 2**40]}))
        try:
            file.truncate(file.tell() + 2**40)
        except OSError:
            pytest.skip("this file system holds no sparse file of a terabyte")
    with pytest.raises(RunError, match="are read"):
        load_model(tmp_path / "m")


def test_a_model_cut_at_any_place_is_told(good, tmp_path, check):
    for size in [*range(0, 64), *range(64, len(good), 61), len(good) - 1]:
        assert check(good[:size], tmp_path / "m")
    assert check(good, tmp_path / "m") == ""


@given(data=st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_random_bytes_are_no_model(check, data):
    assert check(data)


@given(
    places=st.lists(st.tuples(st.integers(0, 2**30), st.integers(1, 255)), min_size=1, max_size=4)
)
@settings(max_examples=300, deadline=None)
def test_changed_bytes_end_in_a_model_or_one_line(check, good, places):
    changed = bytearray(good)
    header = int.from_bytes(good[:8], "little") + 8
    for place, bits in places:
        changed[place % header] ^= bits
    check(bytes(changed))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from([2**31, 2**63, -1, 0, 1, "Conv2D", "input", [], {}, 1e308, 2**2000]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


def places_in(value: object, path: tuple = ()) -> list[tuple]:
    """The paths of all values inside a JSON value."""
    if not isinstance(value, dict | list):
        return [path]
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(p for key, item in items for p in places_in(item, (*path, key)))]


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_any_value_in_the_wrong_place_of_the_metadata_ends_in_one_line(check, good, data):
    header = json.loads(good[8 : 8 + int.from_bytes(good[:8], "little")])
    metadata = header["__metadata__"]
    key = data.draw(st.sampled_from(["network", "input", "labels", "info", "format"]))
    value = [json.loads(metadata[key])]
    path = data.draw(st.sampled_from([p for p in places_in(value) if p]))
    inside = value
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = data.draw(JSON)
    metadata[key] = json.dumps(value[0])
    text = json.dumps(header).encode()
    changed = (
        len(text).to_bytes(8, "little") + text + good[8 + int.from_bytes(good[:8], "little") :]
    )
    check(changed)


@given(entry=JSON, offset=JSON)
@example(entry={"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 0]}, offset=0)
@settings(max_examples=200, deadline=None)
def test_any_value_in_the_wrong_place_of_the_header_ends_in_one_line(check, good, entry, offset):
    length = int.from_bytes(good[:8], "little")
    for change in ({"conv1.bias": entry}, {"__metadata__": entry}):
        header = {**json.loads(good[8 : 8 + length]), **change}
        if isinstance(header["conv1.bias"], dict):
            header["conv1.bias"] = {**header["conv1.bias"], "data_offsets": offset}
        text = json.dumps(header).encode()
        check(len(text).to_bytes(8, "little") + text + good[8 + length :])
