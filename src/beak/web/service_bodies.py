"""From a request's body to raw inputs: a file as it is, a form with files, JSON."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from email.utils import collapse_rfc2231_value
from typing import Any
from urllib.parse import parse_qsl

from beak.data.kinds import kind_of
from beak.errors import DataError, did_you_mean
from beak.runs.answers import Wanted
from beak.runs.safe import one_line, strict_json
from beak.web.guard import RefusedError

TYPES = {
    "pictures": re.compile(r"image/.*"),
    "sounds": re.compile(r"audio/.*|application/ogg|video/(ogg|webm|mp4|mpeg)"),
    "texts": re.compile(r"text/.*"),
    "go": re.compile(r"application/x-go-sgf|application/sgf|text/.*"),
    "numbers": re.compile(r"(?!)"),
}
"""What a body of each kind of input may be called; it is looked at whatever it is called."""
UNKNOWN = ("", "application/octet-stream", "application/x-www-form-urlencoded")
"""Also taken for a file as it is; curl --data-binary says the last."""
FOLDED = re.compile(rb"\r\n[ \t]+")
PLAIN = re.compile(r'form-data; name="([\w.-]+)"(?:; filename="([\w. -]+)")?', re.ASCII)
"""How nearly all parts are called: read at once."""
NO_NAME = "-"
"""What an input without a name is called, as one on standard input."""
LONGEST_NAME = 500
MOST_MOVE = 10_000
MOST_TOP = 1_000_000
FIELDS = ("data", "text", "array", "name")
ASKED = ("top", "move")


@dataclass(frozen=True)
class Body:
    """The inputs of a request."""

    inputs: list[tuple[str, Any]]
    """Names, and bytes, texts or arrays; in a list a DataError for one that cannot be read."""
    many: bool
    """A list is answered."""
    options: dict[str, int] = field(default_factory=dict)

    @property
    def wanted(self) -> Wanted:
        """What is asked beside the inputs; a recording alone may have a time line."""
        alone = len(self.inputs) == 1 and not self.many
        return Wanted(self.options.get("top"), self.options.get("move"), timeline=alone)


class UnreadableError(RefusedError):
    """The request is well made, but what stands for the input is none."""

    def __init__(self, line: str, name: str | None) -> None:
        super().__init__(400, line)
        self.name = name or NO_NAME


def read_body(kind: str, content_type: str, body: bytes, query: bytes, most: int) -> Body:
    """The inputs for a run of that kind, ``most`` at most. Raises RefusedError."""
    options, name = _asked(query)
    essence = content_type.split(";", 1)[0].strip().lower()
    if essence == "application/json" or essence.endswith("+json"):
        found = _json(kind, body)
    elif essence == "multipart/form-data":
        found = _form(kind, content_type, body)
    elif essence in UNKNOWN or TYPES[kind].fullmatch(essence):
        if not body:
            raise RefusedError(400, f"the body is empty; send a {kind_of(kind).one}")
        found = Body([_whole(kind, body, name)], many=False)
    else:
        shown = one_line(essence, 100)
        raise RefusedError(415, f"content-type {shown}: this run reads {kind}; see /openapi.json")
    if not found.inputs:
        raise RefusedError(400, f"no input came; send a {kind_of(kind).one}")
    if len(found.inputs) > most:
        raise RefusedError(413, f"{len(found.inputs)} inputs; at most {most} are taken at once")
    return Body(found.inputs, found.many, found.options | options)


def _whole(kind: str, content: bytes, name: str | None) -> tuple[str, Any]:
    """A file as it is; a text without a name is called what it says."""
    if kind != "texts":
        return name or NO_NAME, content
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return (text if name is None else name), text


def _asked(query: bytes) -> tuple[dict[str, int], str | None]:
    if not query:
        return {}, None
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise RefusedError(400, "the query cannot be read; such as ?top=3") from None
    given = dict(pairs)
    given.pop("token", None)
    name = given.pop("name", None)
    return {key: _number(key, value) for key, value in given.items()}, _name(name)


def _number(key: str, value: Any) -> int:
    if key not in ASKED:
        raise RefusedError(400, f"no option '{one_line(key, 60)}'{did_you_mean(key[:60], ASKED)}")
    word = str(value) if type(value) in (int, str) else ""
    most = MOST_TOP if key == "top" else MOST_MOVE
    if not (word.isascii() and word.isdecimal() and len(word) < 9 and 1 <= int(word) <= most):
        raise RefusedError(400, f"{key}: a whole number from 1 to {most} was wanted")
    return int(word)


def _name(name: Any) -> str | None:
    if name is None:
        return None
    if not isinstance(name, str) or not name or len(name) > LONGEST_NAME or not _sound(name):
        raise RefusedError(400, f"name: a text of 1 to {LONGEST_NAME} characters was wanted")
    return name


def _sound(text: str) -> bool:
    """Whether it can be written as UTF-8: a half of a pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# JSON.


def _json(kind: str, body: bytes) -> Body:
    try:
        found = strict_json(body.decode("utf-8"))
    except ValueError as error:
        raise RefusedError(400, f"the body is no JSON: {one_line(error, 120)}") from None
    if not isinstance(found, dict):
        raise RefusedError(400, 'JSON such as {"data": "…"} or {"inputs": […]} was wanted')
    options = {key: _number(key, found.pop(key)) for key in ASKED if key in found}
    if "inputs" not in found:
        return Body([_one(kind, found)], False, options)
    inputs = found.pop("inputs")
    if found:
        raise RefusedError(400, f"no field '{one_line(next(iter(found)), 60)}' beside inputs")
    if not isinstance(inputs, list):
        raise RefusedError(400, "inputs: a list was wanted")
    return Body([_of_many(kind, n, each) for n, each in enumerate(inputs)], True, options)


def _of_many(kind: str, number: int, given: Any) -> tuple[str, Any]:
    """One input of a list: it alone fails where it cannot be read."""
    try:
        return _one(kind, given)
    except UnreadableError as error:
        return error.name, DataError(error.line)
    except RefusedError as refused:
        raise RefusedError(refused.status, f"inputs[{number}]: {refused.line}") from None


def _one(kind: str, given: Any) -> tuple[str, Any]:
    """One input of a JSON body: an object, or a string in its place."""
    if isinstance(given, str):
        given = {"text" if kind in ("texts", "go") else "data": given}
    if not isinstance(given, Mapping):
        raise RefusedError(400, "an input is an object or a string")
    for key in given:
        if key not in FIELDS:
            known = did_you_mean(key[:60], (*FIELDS, *ASKED))
            raise RefusedError(400, f"no field '{one_line(key, 60)}'{known}")
    name = _name(given.get("name"))
    values = {key: given[key] for key in FIELDS[:3] if key in given}
    if len(values) != 1:
        raise RefusedError(400, f"an input has one of {', '.join(FIELDS[:3])}; {len(values)} came")
    ((key, value),) = values.items()
    return READ[key](kind, value, name)


def _data(kind: str, value: Any, name: str | None) -> tuple[str, Any]:
    if not isinstance(value, str):
        raise UnreadableError("data: a file's bytes as base64 were wanted", name)
    encoded = value.split(",", 1)[-1] if value.startswith("data:") else value
    try:
        return _whole(kind, base64.b64decode(encoded, validate=True), name)
    except (binascii.Error, ValueError):
        raise UnreadableError("data: this is no base64", name) from None


def _text(kind: str, value: Any, name: str | None) -> tuple[str, Any]:
    if kind not in ("texts", "go"):
        raise RefusedError(400, f"text: this run reads {kind}; send data, a file's bytes as base64")
    if not isinstance(value, str) or not _sound(value):
        raise UnreadableError("text: a text was wanted", name)
    return (name or NO_NAME, value.encode()) if kind == "go" else (name or value, value)


def _array(kind: str, value: Any, name: str | None) -> tuple[str, Any]:
    import numpy as np

    if kind != "numbers":
        raise RefusedError(400, f"array: this run reads {kind}, not plain numbers")
    try:
        return name or NO_NAME, np.asarray(value, np.float32)
    except (ValueError, TypeError, OverflowError):
        raise UnreadableError("array: lists of numbers of one shape were wanted", name) from None


READ: dict[str, Callable[[str, Any, str | None], tuple[str, Any]]] = {
    "data": _data,
    "text": _text,
    "array": _array,
}


# Forms with files.


def _form(kind: str, content_type: str, body: bytes) -> Body:
    """multipart/form-data: every part is an input but those called top and move."""
    inputs: list[tuple[str, Any]] = []
    options: dict[str, int] = {}
    many = False
    for name, filename, content in form_parts(content_type, body):
        if filename is None and name in ASKED:
            options[name] = _number(name, content.decode("latin-1"))
            continue
        inputs.append(_whole(kind, content, _name(filename or None)))
        many = many or name == "files"
    return Body(inputs, many or len(inputs) > 1, options)


def form_parts(content_type: str, body: bytes) -> list[tuple[str, str | None, bytes]]:
    """Each part's name, file name and content, as RFC 7578 has them. Raises RefusedError."""
    found = re.search(r'boundary=(?:"([^"]{1,70})"|([^\s;,"]{1,70}))\s*(?:;|$)', content_type, re.I)
    if found is None:
        raise RefusedError(400, "multipart/form-data without a boundary")
    mark = b"--" + (found[1] or found[2]).encode("latin-1", "replace")
    if not body.startswith(mark):
        raise RefusedError(400, "the form does not begin with its boundary")
    pieces = (b"\r\n" + body).split(b"\r\n" + mark)
    if not pieces[-1].startswith(b"--"):
        raise RefusedError(400, "the form is cut short: its last boundary is missing")
    return [_part(piece) for piece in pieces[1:-1]]


def _part(piece: bytes) -> tuple[str, str | None, bytes]:
    head, gap, content = piece.lstrip(b" \t").partition(b"\r\n\r\n")
    if not gap or not head.startswith(b"\r\n") or len(head) > 8192:
        raise RefusedError(400, "a part of the form has no headers, or too long ones")
    for line in FOLDED.sub(b" ", head[2:]).split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.strip().lower() == b"content-disposition":
            return *_disposition(value.decode("utf-8", "replace").strip()), content
    raise RefusedError(400, "a part of the form has no content-disposition")


def _disposition(value: str) -> tuple[str, str | None]:
    """What a part and its file are called.

    >>> _disposition('form-data; name="file"; filename="six.png"')
    ('file', 'six.png')
    """
    if plain := PLAIN.fullmatch(value):
        return plain[1], plain[2]
    message = Message()
    message["content-disposition"] = (
        value.replace("%22", '\\"').replace("\r", " ").replace("\n", " ")
    )
    name = message.get_param("name", header="content-disposition")
    filename = message.get_param("filename", header="content-disposition")
    if value.split(";", 1)[0].strip().lower() != "form-data" or name is None:
        raise RefusedError(400, "a part of the form is not called anything")
    texts = [_said(each) for each in (name, filename)]
    return texts[0] or "", texts[1]


def _said(value: Any) -> str | None:
    """A parameter's text; RFC 2231's (charset, language, text) too."""
    try:
        return None if value is None else collapse_rfc2231_value(value)[:LONGEST_NAME]
    except ValueError:  # a charset that does not fit
        raise RefusedError(400, "a file's name in the form cannot be read") from None


def as_json(value: Any) -> bytes:
    """As ``beak predict --json`` writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": ")).encode()
