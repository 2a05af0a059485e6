"""Bodies of requests, of every shape, well made or not."""

from __future__ import annotations

import base64
import json
from email.message import EmailMessage

import httpx2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from beak.errors import DataError
from beak.web.guard import RefusedError
from beak.web.service_bodies import form_parts, read_body

JSON = "application/json"
QUICK = settings(max_examples=60, deadline=None)


def read(kind: str, content_type: str, body: bytes, query: bytes = b"", most: int = 8):
    return read_body(kind, content_type, body, query, most)


def read_or_status(*asked):
    """The body, or the status that refuses it; whatever else is raised fails the test."""
    try:
        return read(*asked)
    except RefusedError as refused:
        return refused.status


def built(*parts: tuple[str, str | None, bytes], mark: str = "x1") -> bytes:
    made = b""
    for name, filename, content in parts:
        file = "" if filename is None else f'; filename="{filename}"'
        made += f'--{mark}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n'.encode()
        made += b"content-type: image/png\r\n\r\n" + content + b"\r\n"
    return made + f"--{mark}--\r\n".encode()


FORM = "multipart/form-data; boundary=x1"


def test_one_file_is_one_answer_and_several_are_a_list():
    one = read("pictures", FORM, built(("file", "a.png", b"A")))
    assert (one.inputs, one.many) == ([("a.png", b"A")], False)
    two = read("pictures", FORM, built(("file", "a.png", b"A"), ("file", "b.png", b"B")))
    assert (two.inputs, two.many) == ([("a.png", b"A"), ("b.png", b"B")], True)
    assert read("pictures", FORM, built(("files", "a.png", b"A"))).many


def test_a_forms_fields_and_the_query_are_the_options_and_the_query_counts():
    body = built(("top", None, b"3"), ("file", "a.png", b"A"))
    assert read("pictures", FORM, body).options == {"top": 3}
    assert read("pictures", FORM, body, b"top=2").options == {"top": 2}
    assert read("go", FORM, body, b"move=7").wanted.move == 7


def test_a_recording_alone_may_have_a_time_line_and_one_of_many_has_none():
    assert read("sounds", "audio/wav", b"RIFF").wanted.timeline
    assert not read("sounds", FORM, built(("files", "a.wav", b"A"))).wanted.timeline


def test_a_text_is_called_what_it_says_and_a_file_of_a_text_by_its_name():
    assert read("texts", "text/plain", b"\xef\xbb\xbfa film").inputs == [("a film", "a film")]
    assert read("texts", "text/plain", b"caf\xe9").inputs == [("café", "café")]
    assert read("texts", FORM, built(("file", "a.txt", b"a film"))).inputs == [("a.txt", "a film")]
    assert read("texts", FORM, built(("text", None, b"a film"))).inputs == [("a film", "a film")]
    assert read("texts", JSON, b'{"text": "a film"}').inputs == [("a film", "a film")]
    assert read("texts", JSON, b'{"inputs": ["a", "b"]}').inputs == [("a", "a"), ("b", "b")]


def test_json_holds_bytes_texts_and_arrays():
    data = base64.b64encode(b"PNG").decode()
    assert read("pictures", JSON, json.dumps({"data": data}).encode()).inputs == [("-", b"PNG")]
    url = json.dumps({"data": f"data:image/png;base64,{data}", "name": "a", "top": 1}).encode()
    found = read("pictures", JSON, url)
    assert (found.inputs, found.options, found.many) == ([("a", b"PNG")], {"top": 1}, False)
    assert read("go", JSON, b'{"text": "(;)", "move": 2}').inputs == [("-", b"(;)")]
    ((_, array),) = read("numbers", JSON, b'{"array": [[1, 2.5]]}').inputs
    np.testing.assert_array_equal(array, np.array([[1, 2.5]], np.float32))


def test_of_several_inputs_one_that_cannot_be_read_fails_alone():
    sent = json.dumps({"inputs": ["QQ==", {"data": "*", "name": "bad"}, {"data": 3}, "Qg=="]})
    (first, bad, worse, last) = read("pictures", JSON, sent.encode()).inputs
    assert (first, last) == (("-", b"A"), ("-", b"B"))
    assert bad[0] == "bad"
    assert [str(each[1]) for each in (bad, worse)] == [
        "data: this is no base64",
        "data: a file's bytes as base64 were wanted",
    ]
    assert all(isinstance(each[1], DataError) for each in (bad, worse))


def test_whatever_curl_calls_a_file_it_is_one():
    for called in ("", "application/octet-stream", "application/x-www-form-urlencoded",
                   "image/png", "image/x-anything; q=1"):  # fmt: skip
        assert read("pictures", called, b"PNG", b"name=six.png").inputs == [("six.png", b"PNG")]


@pytest.mark.parametrize(
    ("kind", "called", "body", "query", "status", "said"),
    [
        ("pictures", "text/plain", b"A", b"", 415, "reads pictures"),
        ("texts", "image/png", b"A", b"", 415, "reads texts"),
        ("pictures", "image/png", b"", b"", 400, "empty"),
        ("pictures", JSON, b"{", b"", 400, "no JSON"),
        ("pictures", JSON, b"\xff", b"", 400, "no JSON"),
        ("pictures", JSON, b"[]", b"", 400, "was wanted"),
        ("pictures", JSON, b"{}", b"", 400, "has one of"),
        ("pictures", JSON, b'{"data": "A", "text": "b"}', b"", 400, "has one of"),
        ("pictures", JSON, b'{"data": "*"}', b"", 400, "no base64"),
        ("pictures", JSON, b'{"data": 3}', b"", 400, "base64"),
        ("pictures", JSON, b'{"text": "a"}', b"", 400, "reads pictures"),
        ("pictures", JSON, b'{"array": [1]}', b"", 400, "not plain numbers"),
        ("numbers", JSON, b'{"array": [[1], [2, 3]]}', b"", 400, "one shape"),
        ("numbers", JSON, b'{"array": "a"}', b"", 400, "one shape"),
        ("pictures", JSON, b'{"dat": "a"}', b"", 400, "did you mean 'data'"),
        ("pictures", JSON, b'{"data": "QQ==", "data": "QQ=="}', b"", 400, "no JSON"),
        ("pictures", JSON, b"[" * 100_000, b"", 400, "nests"),
        ("pictures", JSON, b'{"inputs": "a"}', b"", 400, "a list"),
        ("pictures", JSON, b'{"inputs": []}', b"", 400, "no input"),
        ("pictures", JSON, b'{"inputs": [3]}', b"", 400, "inputs[0]: an input is an object or a"),
        ("pictures", JSON, b'{"inputs": ["QQ==", {"dat": ""}]}', b"", 400, "inputs[1]: no field"),
        ("numbers", JSON, b'{"array": [' + b"9" * 10_000 + b"]}", b"", 400, "number is too large"),
        ("numbers", JSON, b'{"array": [' + b"9" * 311 + b"]}", b"", 400, "number is too large"),
        ("numbers", JSON, b'{"array": [1e999]}', b"", 400, "number is too large"),
        ("pictures", JSON, b'{"inputs": [], "data": ""}', b"", 400, "beside inputs"),
        ("texts", JSON, json.dumps({"inputs": 9 * ["a"]}).encode(), b"", 413, "at most 8"),
        ("texts", JSON, b'{"text": "a", "name": ""}', b"", 400, "name"),
        ("texts", JSON, rb'{"text": "\ud800"}', b"", 400, "a text was wanted"),
        ("texts", JSON, b'{"text": "a", "top": true}', b"", 400, "top"),
        ("texts", JSON, b'{"text": "a", "top": 0}', b"", 400, "top"),
        ("pictures", "image/png", b"A", b"top=x", 400, "top"),
        ("pictures", "image/png", b"A", b"tpo=1", 400, "did you mean 'top'"),
        ("pictures", "image/png", b"A", b"\xff=1", 400, "query"),
        ("pictures", "image/png", b"A", b"&".join([b"a=1"] * 30), 400, "query"),
        ("pictures", "multipart/form-data", b"A", b"", 400, "without a boundary"),
        ("pictures", FORM, b"A", b"", 400, "does not begin"),
        ("pictures", FORM, built(("file", "a", b"A"))[:-6], b"", 400, "cut short"),
        ("pictures", FORM, b"--x1--\r\n", b"", 400, "no input"),
        ("pictures", FORM, b"--x1\r\nno head\r\n--x1--", b"", 400, "no headers"),
        ("pictures", FORM, b"--x1\r\na: b\r\n\r\nA\r\n--x1--", b"", 400, "content-disposition"),
        ("pictures", FORM, b"--x1\r\ncontent-disposition: form-data\r\n\r\nA\r\n--x1--", b"", 400,
         "not called"),
        ("pictures", FORM, b"--x1\r\ncontent-disposition: file; name=a\r\n\r\nA\r\n--x1--", b"",
         400, "not called"),
        ("pictures", FORM, b"--x1\r\n" + b"a" * 9000 + b"\r\n\r\nA\r\n--x1--", b"", 400, "headers"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_one_line(kind, called, body, query, status, said):
    with pytest.raises(RefusedError) as refused:
        read(kind, called, body, query)
    assert refused.value.status == status
    assert said in refused.value.line
    assert "\n" not in refused.value.line


names = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF), min_size=1, max_size=20)


@QUICK
@given(st.lists(st.tuples(names, st.binary(max_size=300)), min_size=1, max_size=4))
@example([('a "b".png', b"\r\n--"), ("ü.png", b"\r\n\r\n")])
def test_forms_that_a_client_makes_are_read_as_they_were(given_files):
    made = httpx2.Request("POST", "http://x", files=[("file", each) for each in given_files])
    found = form_parts(made.headers["content-type"], made.read())
    assert [content for _, _, content in found] == [content for _, content in given_files]
    for (name, filename, _), (wanted, _) in zip(found, given_files, strict=True):
        assert name == "file"
        if not set(wanted) & set("\\;%'\"*"):
            assert filename == wanted.strip() or filename == wanted


@QUICK
@given(st.binary(max_size=200), st.sampled_from(["pictures", "texts", "go", "numbers", "sounds"]),
       st.sampled_from([JSON, FORM, "", "text/plain", "image/png", "audio/wav", "multipart/x"]),
       st.binary(max_size=20))  # fmt: skip
def test_no_body_does_anything_but_be_read_or_be_refused(body, kind, called, query):
    for each in (body, b"--x1\r\n" + body + b"\r\n--x1--", b'{"inputs": [' + body + b"]}"):
        found = read_or_status(kind, called, each, query)
        if isinstance(found, int):
            assert found in (400, 413, 415)
        else:
            assert found.inputs
            assert all(name.encode() is not None for name, _ in found.inputs)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["data", "text", "name", "array", "top", "move"]), inner)
    ),
    max_leaves=8,
)


@QUICK
@given(st.dictionaries(st.sampled_from(["data", "text", "inputs", "array", "name", "top"]), values))
def test_no_json_does_anything_but_be_read_or_be_refused(found):
    for kind in ("pictures", "texts", "numbers"):
        read_or_status(kind, JSON, json.dumps(found).encode())


def test_a_form_as_the_standard_library_writes_it_is_read():
    message = EmailMessage()
    message.add_header("Content-Disposition", "form-data", name="file", filename="Büro 6.png")
    head = message.as_bytes().split(b"\n\n")[0].replace(b"\n", b"\r\n")
    body = b"--x1\r\n" + head + b"\r\n\r\nA\r\n--x1--\r\n"
    assert form_parts(FORM, body) == [("file", "Büro 6.png", b"A")]
