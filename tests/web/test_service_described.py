"""The service keeps to its OpenAPI description: schemathesis asks every endpoint, well and badly."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
