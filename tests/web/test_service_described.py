"""The service keeps to its OpenAPI description: schemathesis asks it, well and badly."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, Phase, given, settings

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

QUICK = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
MODES = list(schemathesis.GenerationMode)


@pytest.fixture(scope="module")
def described(runs):
    """The description, from a service that answers."""
    words = [str(runs(kind)) for kind in ("digits", "text", "sound", "go")]
    command = [sys.executable, "-m", "beak", "serve", *words, "--port", "0", "--json"]
    process = subprocess.Popen([*command, "--threads", "1"], stdout=subprocess.PIPE, text=True)
    address = json.loads(process.stdout.readline())["address"]
    try:
        yield schemathesis.openapi.from_url(address + "openapi.json")
    finally:
        process.terminate()
        process.wait(40)
        process.stdout.close()


@pytest.mark.parametrize("mode", MODES)
def test_every_endpoint_answers_as_it_is_described(described, mode):
    checks = schemathesis.checks
    wanted = [
        checks.not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
        checks.response_headers_conformance,
        checks.allow_header_conformance,
    ]
    asked: set[str] = set()
    for each in described.get_all_operations():
        operation = each.ok()
        if mode is schemathesis.GenerationMode.NEGATIVE and "predict" not in operation.label:
            continue  # nothing can be asked wrongly there

        @QUICK
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case):
            answer = case.call()
            asked.add(case.operation.label)
            case.validate_response(answer, checks=wanted)
            assert answer.elapsed < 10

        ask()
    assert sum("predict" in label for label in asked) == 4
    assert len(asked) == (8 if mode is schemathesis.GenerationMode.POSITIVE else 4)
