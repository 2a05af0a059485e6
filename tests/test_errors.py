"""An error is one line, whatever a stranger's file put into it."""

from __future__ import annotations

import doctest

import pytest

from beak import errors


def test_the_examples_hold():
    assert doctest.testmod(errors).failed == 0


@pytest.mark.parametrize("kind", [errors.DataError, errors.UsageError, errors.RunError])
def test_no_text_breaks_the_line_or_steers_the_terminal(kind):
    said = str(kind("a\r\nb\x1b[31m\x00\u2028c \u00e9"))
    assert said == "a? b?[31m??c é"
    assert said.isprintable()
