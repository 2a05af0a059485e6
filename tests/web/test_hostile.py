"""Requests made from the application's own schema: every refusal is a clean 4xx."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from beak.runs.run import load
from beak.web.app import make_app
from beak.web.guard import Guard
from beak.web.session import Session

schemathesis = pytest.importorskip("schemathesis", reason="needs the extra dev")
requests = pytest.importorskip("requests")

HERE = "http://127.0.0.1:8000"
MODES = tuple(schemathesis.GenerationMode)
OPERATIONS = [
    ("POST", "/api/look"),
    *(
        ("GET", f"/api/{name}")
        for name in ("look", "examples", "network", "cell", "moved", "forgives", "filters", "twin",
                     "looks-for", "patches", "alike")
    ),
]  # fmt: skip
NEARLY_RIGHT = st.fixed_dictionaries(
    {},
    optional={
        "layer": st.sampled_from(["conv1", "embedding1", "dense1", "answer", "input", "conv1/.."]),
        "cell": st.sampled_from(["0", "0,0", "0,0,0", "3,9", "3,10", "1,1,1,1"]),
        "input": st.sampled_from(["nothing", "example-0", "example-1e3", "../nothing"]),
        "beside": st.sampled_from(["", "other", "nobody"]),
        "run": st.sampled_from(["", "other", "../other"]),
        "units": st.sampled_from(["0", "0,1", "9", "0,", ",".join(["0"] * 190)]),
        "steps": st.integers(-1, 3),
        "method": st.sampled_from(["gradient", "cam", "occlusion", "integrated", "x"]),
        "answer": st.sampled_from(["good", "bad", "0", "2", "-1", "1e9", "²"]),
    },
)  # fmt: skip


@pytest.fixture(scope="module")
def asked(runs):
    """The application of a small run behind its guard, and the schema that it tells."""
    application = make_app(Session(load(runs("text")), others={"other": runs("widths")}))
    client = TestClient(
        Guard(application, frozenset({"127.0.0.1:8000"})),
        base_url=HERE,
        raise_server_exceptions=False,
    )
    return client, schemathesis.openapi.from_asgi("/api/schema.json", application)


def test_the_list_of_operations_is_the_schemas(asked):
    _, schema = asked
    found = {(one.ok().method.upper(), one.ok().path) for one in schema.get_all_operations()}
    assert found == set(OPERATIONS)


def check(answer) -> None:
    assert answer.status_code < 500, answer.text[:300]
    assert answer.headers["x-content-type-options"] == "nosniff"
    if answer.status_code == 200:
        return
    told = answer.json()
    assert list(told) == ["error"]
    assert 0 < len(told["error"]) <= 500
    assert "\n" not in told["error"]
    assert "Traceback" not in told["error"]


@pytest.mark.parametrize("mode", MODES, ids=[mode.value for mode in MODES])
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_whatever_is_asked_is_answered_or_refused_in_one_line(asked, method, path, mode):
    client, schema = asked
    operation = schema[path][method]

    @settings(
        max_examples=12,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode), NEARLY_RIGHT, st.booleans())
    def ask(case, nearly, mixed):
        how = case.as_transport_kwargs(base_url=HERE)
        if mixed:
            how["params"] = {**how["params"], **nearly}
        try:
            ready = requests.Request(**how).prepare()
        except (ValueError, UnicodeError):
            return  # no such request can be written down
        body = ready.body.encode() if isinstance(ready.body, str) else ready.body
        check(client.request(method, ready.url, content=body))

    ask()


PATHS = ["..", "%2e%2e", "..%2f", "....//", "%00", "a" * 5000, "page/..;/x", "\\..\\x", "%c0%ae"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("before", ["", "page/", "api/"])
def test_no_trick_in_a_path_finds_anything(asked, before, path):
    client, _ = asked
    answer = client.get(f"/{before}{path}/model.safetensors")
    assert answer.status_code in (400, 404)
    check(answer)


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "127.0.0.1:8000.evil.example"},
        {"host": "127.0.0.1:8000@evil.example"},
        {"host": "evil.example", "x-forwarded-host": "127.0.0.1:8000"},
        {"origin": "http://127.0.0.1:8000.evil.example"},
        {"origin": "https://127.0.0.1:8000"},
        {"origin": "http://127.0.0.1"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"content-length": "99999999999999999999"},
    ],
)
def test_a_name_that_was_bound_anew_and_another_sites_page_are_refused(asked, headers):
    client, _ = asked
    answer = client.get("/api/network", headers=headers)
    assert 400 <= answer.status_code < 500
    check(answer)


@pytest.mark.parametrize("body", [b"\0" * 100_000, b"\xff\xfe" * 70_000, json.dumps([1]).encode()])
def test_large_and_odd_bodies_are_answered(asked, body):
    client, _ = asked
    check(client.post("/api/look", content=body, headers={"content-type": "application/json"}))
