"""The table of limits: complete, read, and a pure function of the instruction set."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beak.ops.convolution import choices as module
from beak.ops.convolution import kernels
from beak.ops.convolution.choices import PATH, Choices, choices
from beak.ops.convolution.kernels import PooledShape
from beak.ops.convolution.winograd import Layer, cheapest_side, choose_side
from beak.ops.kernel import Kernel, choose, structure, supported_sets
from beak.ops.test_reference_support import run_doctests
from beak.ops.test_support import using_instruction_set

EVERY_SET = sorted(Kernel("any", structure("Args", "int:n")).isa)


def test_the_table_has_a_row_for_every_instruction_set():
    assert sorted(json.loads(PATH.read_text())) == EVERY_SET
    for isa in EVERY_SET:
        row = choices(isa)
        assert set(row.transform) == {"forward", "weights"}
        assert all(0 < cost < 50 for costs in row.transform.values() for cost in costs)
        assert 0 <= row.few_channels <= 16
        assert 0 < row.slide_transform < 50
        assert 0.3 <= row.slide_work <= 1


def test_the_examples_in_the_docstrings_hold():
    assert run_doctests(module) >= 1


@pytest.mark.parametrize("isa", supported_sets())
def test_the_limits_are_what_the_choice_goes_by(isa, monkeypatch):
    shape = PooledShape((3, 3), 3, 8)
    for few, name in ((2, "pooled_weight_gradient_many"), (3, "pooled_weight_gradient_few")):
        limits = Choices(choices("v3").transform, few, 10.0, 0.75)
        with using_instruction_set(isa), monkeypatch.context() as patch:
            patch.setattr(kernels, "choices", {isa: limits}.__getitem__)
            assert choose(kernels.POOLED_WEIGHT_GRADIENT, shape).name == name


layers = st.builds(
    Layer, st.integers(1, 512), st.integers(1, 512), st.integers(1, 40), st.integers(1, 40)
)


@given(
    layer=layers, isa=st.sampled_from(EVERY_SET), purpose=st.sampled_from(["forward", "weights"])
)
def test_a_side_follows_from_layer_and_instruction_set_alone(layer, isa, purpose):
    chosen = choose_side(layer, isa, purpose)
    assert chosen == cheapest_side(layer, choices(isa).transform[purpose], purpose)
    assert chosen == choose_side(layer, isa, purpose)


@given(layer=layers, two=st.floats(1, 20), four=st.floats(1, 20), more=st.floats(0, 20))
def test_dearer_transforms_are_never_chosen_more_often(layer, two, four, more):
    chosen = cheapest_side(layer, (two, four))
    assert cheapest_side(layer, (two + more, four)) in {chosen} | ({0, 4} if chosen == 2 else set())
    assert cheapest_side(layer, (two, four + more)) in {chosen} | ({0, 2} if chosen == 4 else set())
