"""The service's OpenAPI description, for the runs that it answers with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beak.runs.model import Model

ERROR = {"$ref": "#/components/schemas/Error"}
RUNS = {"$ref": "#/components/schemas/Runs"}
NAMED = {"type": "string", "minLength": 1, "maxLength": 500}
REFUSED = {
    "400": "The request cannot be read.",
    "403": "A page of another site asked.",
    "405": "Another method is wanted.",
    "408": "The body took too long.",
    "413": "Too many bytes, inputs, pixels or seconds.",
    "415": "A body of another kind than the run reads.",
    "421": "The service is not known by this name.",
    "422": "The input cannot be read as one of its kind.",
    "500": "The service failed; its log tells more.",
    "503": "Too much waits; Retry-After says how long to.",
}
FILES = {
    "pictures": "image/*",
    "sounds": "audio/*",
    "texts": "text/plain",
    "go": "application/x-go-sgf",
    "numbers": "application/octet-stream",
}


def description(models: Mapping[str, Model], prefix: str, token: bool) -> dict[str, Any]:
    """The whole description; ``prefix``: what a proxy puts before every path."""
    paths: dict[str, Any] = {
        f"/v1/{name}/predict": {"post": predicting(name, model)} for name, model in models.items()
    }
    if len(models) == 1:
        ((name, model),) = models.items()
        paths["/predict"] = {"post": predicting(name, model) | {"operationId": "predict"}}
    paths |= {
        "/v1/runs": _get("The runs, what each reads, its labels", "listRuns", RUNS, token),
        "/healthz": _get("Whether the process answers", "healthz", STATUS, False),
        "/readyz": _get("Whether requests are taken; stale files", "readyz", STATUS, False),
        "/metrics": _metrics(token),
    }  # fmt: skip
    found: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "beak serve", "version": "1", "description": ABOUT},
        "servers": [{"url": prefix or "/"}],
        "paths": paths,
        "components": {"schemas": SCHEMAS},
    }
    if token:
        bearer = {"type": "http", "scheme": "bearer"}
        found["components"] = {"schemas": SCHEMAS, "securitySchemes": {"token": bearer}}
        found["security"] = [{"token": []}]
    return found


def predicting(name: str, model: Model) -> dict[str, Any]:
    """One run's endpoint."""
    kind = model.spec.kind
    binary = {"type": "string", "format": "binary"}
    body: dict[str, Any] = {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"file": binary, "files": {"type": "array", "items": binary}},
            }
        },
        "application/json": {"schema": _asked(kind)},
    }
    if kind != "numbers":
        body[FILES[kind]] = {"schema": {"type": "string"} if kind == "texts" else binary}
    return {
        "summary": f"What {name} answers to {kind}",
        "description": model.spec.describe(),
        "operationId": f"predict_{name}",
        "parameters": [
            _query("top", "Only so many of the probabilities.", 1_000_000),
            *([_query("move", "The position before this move.", 10_000)] if kind == "go" else []),
            {"name": "name", "in": "query", "schema": NAMED,
             "description": "What a body of one file is called in the answer."},
        ],
        "requestBody": {"required": True, "content": body},
        "responses": {
            "200": _json("The answer, or a list for several inputs.", _told(kind), version=True),
            "401": _json("The token is missing.", ERROR),
            **{status: _json(what, ERROR) for status, what in REFUSED.items()},
        },
    }  # fmt: skip


def _asked(kind: str) -> dict[str, Any]:
    """A JSON body: one input, or several under "inputs"."""
    values: dict[str, Any] = {"data": {"type": "string", "contentEncoding": "base64"}}
    if kind in ("texts", "go"):
        values["text"] = {"type": "string"}
    if kind == "numbers":
        values = {"array": {"type": "array"}}
    options: dict[str, Any] = {"top": {"type": "integer", "minimum": 1, "maximum": 1_000_000}}
    if kind == "go":
        options["move"] = {"type": "integer", "minimum": 1, "maximum": 10_000}

    def one(more: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {"type": "object", "properties": {key: value, "name": NAMED, **more},
             "required": [key], "additionalProperties": False}
            for key, value in values.items()
        ]  # fmt: skip

    each = {"anyOf": [*one({}), {"type": "string"}]}
    many = {
        "type": "object",
        "properties": {
            "inputs": {"type": "array", "items": each, "minItems": 1, "maxItems": 256},
            **options,
        },
        "required": ["inputs"],
        "additionalProperties": False,
    }
    return {"anyOf": [*one(options), many]}


def _told(kind: str) -> dict[str, Any]:
    record = {"$ref": f"#/components/schemas/{'Move' if kind == 'go' else 'Prediction'}"}
    several = [record, {"$ref": "#/components/schemas/Unread"}]
    if kind == "sounds":
        several.append({"$ref": "#/components/schemas/Stretch"})
    listed = {
        "type": "object",
        "properties": {"predictions": {"type": "array", "items": {"anyOf": several}}},
        "required": ["predictions"],
        "additionalProperties": False,
    }
    return {"anyOf": [record, listed]}


def _query(name: str, what: str, most: int) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": 1, "maximum": most}
    return {"name": name, "in": "query", "schema": schema, "description": what}


def _json(what: str, schema: dict[str, Any], version: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": what,
        "content": {"application/json": {"schema": schema}},
    }
    if version:
        about = "Which content of the run's file answered."
        found["headers"] = {"beak-version": {"schema": {"type": "string"}, "description": about}}
    return found


def _get(what: str, name: str, schema: dict[str, Any], token: bool) -> dict[str, Any]:
    responses = {"200": _json(what, schema), "405": _json("GET is wanted.", ERROR)}
    if name == "readyz":
        responses["503"] = _json("It is stopping.", schema)
    return {
        "get": {"summary": what, "operationId": name, "responses": responses | _barred(token, name)}
    }


def _metrics(token: bool) -> dict[str, Any]:
    text = {"text/plain": {"schema": {"type": "string"}}}
    responses = {"200": {"description": "Counters of all workers", "content": text}}
    responses["405"] = _json("GET is wanted.", ERROR)
    what = "For Prometheus: all workers' counters"
    responses |= _barred(token, "metrics")
    return {"get": {"summary": what, "operationId": "metrics", "responses": responses}}


def _barred(token: bool, name: str) -> dict[str, Any]:
    if name in ("healthz", "readyz"):
        return {}
    found = {"403": _json(REFUSED["403"], ERROR), "421": _json(REFUSED["421"], ERROR)}
    return found | ({"401": _json("The token is missing.", ERROR)} if token else {})


ABOUT = (
    "Raw files in, labels and probabilities out, exactly as `beak predict --json` answers. "
    "The preparation of the input is the run's own."
)
STATUS = {
    "type": "object",
    "properties": {
        "status": {"type": "string"},
        "stale": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["status"],
}
SHARES = {
    "type": "object",
    "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1.000001},
}
NAME = {"type": "string"}
SCHEMAS: dict[str, Any] = {
    "Error": {
        "type": "object",
        "properties": {"error": {"type": "string"}},
        "required": ["error"],
    },
    "Unread": {
        "type": "object",
        "properties": {"input": NAME, "error": {"type": "string"}},
        "required": ["input", "error"],
        "additionalProperties": False,
    },
    "Prediction": {
        "type": "object",
        "properties": {
            "input": NAME,
            "label": {"type": "string"},
            "probabilities": SHARES,
            "notes": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["input", "label", "probabilities"],
        "additionalProperties": False,
    },
    "Stretch": {
        "type": "object",
        "properties": {
            "input": NAME,
            "begin": {"type": "number"},
            "end": {"type": "number"},
            "label": {"type": "string"},
            "probability": {"type": "number"},
        },
        "required": ["input", "begin", "end", "label", "probability"],
        "additionalProperties": False,
    },
    "Move": {
        "type": "object",
        "properties": {
            "input": NAME,
            "move": {"type": "integer"},
            "colour": {"enum": ["black", "white"]},
            "played": {"type": "string"},
            "rank": {"type": ["integer", "null"]},
            "probability": {"type": ["number", "null"]},
            "expected": SHARES,
        },
        "required": ["input", "move", "colour", "expected"],
        "additionalProperties": False,
    },
    "Runs": {
        "type": "object",
        "properties": {
            "runs": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": NAME,
                        "kind": {"type": "string"},
                        "takes": {"type": "string"},
                        "input": {"type": "string"},
                        "labels": {"type": "array", "items": {"type": "string"}},
                        "parameters": {"type": "integer"},
                        "version": {"type": "string"},
                        "trouble": {"type": ["string", "null"]},
                    },
                    "required": ["name", "kind", "labels", "version"],
                },
            }
        },
        "required": ["runs"],
    },
}
