"""Which engine computes, and why."""

from __future__ import annotations

import pytest

from beak.engine import choice
from beak.engine.choice import choose_engine
from beak.errors import MissingExtraError, UsageError


@pytest.fixture
def no_torch(monkeypatch):
    monkeypatch.setattr(choice, "has_torch", lambda: False)


@pytest.fixture
def a_gpu(monkeypatch):
    """As if torch saw a GPU of NVIDIA."""
    pytest.importorskip("torch")
    from beak.engine import torch_device as device

    monkeypatch.setattr(choice, "_gpu_files", lambda: True)
    monkeypatch.setattr(device.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(device.torch.cuda, "device_count", lambda: 2)


def test_on_a_cpu_native_computes_unless_torch_is_asked_for(monkeypatch):
    monkeypatch.setattr(choice, "_gpu_files", lambda: False)
    assert choose_engine().line() == (
        "native on cpu: no GPU here, and it is the fastest on a CPU"
        if choice.has_torch()
        else "native on cpu: the fastest on a CPU"
    )
    assert choose_engine("auto", "cpu").kind == "native"


def test_a_gpu_is_taken_where_torch_sees_one(a_gpu):
    assert choose_engine().line() == "torch on cuda: a GPU is here"
    assert choose_engine("auto", "cuda:1").device == "cuda:1"
    assert choose_engine("auto", "cpu").kind == "native"
    assert choose_engine("torch", "cpu").device == "cpu"
    assert choose_engine("native").device == "cpu"
    with pytest.raises(UsageError, match="no device 'cuda:2': there are 2, from cuda:0 on"):
        choose_engine("auto", "cuda:2")


def test_a_gpu_without_torch_is_told(no_torch, monkeypatch):
    monkeypatch.setattr(choice, "_gpu_files", lambda: True)
    assert "a GPU is here, but its engine is not" in choose_engine().why
    for asked in (("torch", "auto"), ("auto", "cuda")):
        with pytest.raises(MissingExtraError, match=r'pip install "beak\[torch\]"'):
            choose_engine(*asked)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("tensorflow", "auto"), "no engine 'tensorflow'; known: auto, native, reference, torch"),
        (("auto", "gpu"), "no device 'gpu'"),
        (("auto", "cudo"), "did you mean 'cuda'"),
        (("native", "cuda"), "computes on the CPU alone; for cuda: --engine torch"),
    ],
)
def test_what_cannot_be_is_refused(asked, said):
    with pytest.raises(UsageError, match=said):
        choose_engine(*asked)


def test_a_device_that_is_not_here_is_refused():
    pytest.importorskip("torch")
    with pytest.raises(UsageError, match="torch sees no mps device here"):
        choose_engine("torch", "mps")
