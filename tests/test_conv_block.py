"""beak.torch.ConvBlock beside the three layers of torch that it stands for."""

from __future__ import annotations

import copy

import pytest

import beak
from beak.errors import ShapeError, UsageError

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from beak.torch import ConvBlock  # noqa: E402


def twins(ins, outs, kernel=3, padding=0, bias=True, seed=0):
    """The block and the three layers with one set of weights."""
    torch.manual_seed(seed)
    conv = nn.Conv2d(ins, outs, kernel, padding=padding, bias=bias)
    block = ConvBlock(ins, outs, kernel, padding, bias)
    block.load_state_dict(conv.state_dict())
    return block, nn.Sequential(conv, nn.ReLU(), nn.MaxPool2d(2))


CASES = [
    (1, 25, 3, 0, True, (28, 28)),
    (25, 50, 3, 0, True, (13, 13)),
    (3, 16, 5, 2, False, (11, 8)),
    (17, 33, 3, (1, 0), True, (6, 9)),
    (2, 4, (3, 5), 1, True, (9, 9)),
    (2, 3, 1, 0, True, (4, 4)),
]


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_those_of_the_three_layers(case):
    ins, outs, kernel, padding, bias, size = case
    block, layers = twins(ins, outs, kernel, padding, bias)
    for last in (False, True):
        x = torch.randn(5, ins, *size)
        x = x.contiguous(memory_format=torch.channels_last) if last else x
        both = [x.clone().requires_grad_() for _ in range(2)]
        ours, theirs = block(both[0]), layers(both[1])
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
        slope = torch.randn_like(theirs)
        for module in (block, layers):
            module.zero_grad()
        ours.backward(slope)
        theirs.backward(slope)
        torch.testing.assert_close(both[0].grad, both[1].grad, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(block.weight.grad, layers[0].weight.grad, rtol=1e-3, atol=1e-4)
        if bias:
            torch.testing.assert_close(block.bias.grad, layers[0].bias.grad, rtol=1e-3, atol=1e-4)


def test_two_passes_before_going_back_do_not_meet():
    block, layers = twins(3, 8, padding=1)
    a, b = torch.randn(2, 3, 8, 8), torch.randn(4, 3, 8, 8)
    for module in (block, layers):
        (module(a).sum() + 2 * module(b).sum()).backward()
    torch.testing.assert_close(block.weight.grad, layers[0].weight.grad, rtol=1e-4, atol=1e-4)


def test_a_module_with_blocks_trains_as_with_the_layers():
    block, layers = twins(1, 6, padding=1)
    heads = [nn.Linear(6 * 16, 3) for _ in range(2)]
    heads[1].load_state_dict(heads[0].state_dict())
    x, y = torch.randn(8, 1, 8, 8), torch.randint(0, 3, (8,))
    losses = []
    for body, head in zip((block, layers), heads, strict=True):
        model = nn.Sequential(body, nn.Flatten(), head)
        optimiser = torch.optim.SGD(model.parameters(), 0.2, momentum=0.9)
        for _ in range(12):
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimiser.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_a_frozen_block_and_an_input_without_gradient():
    block, _ = twins(3, 8)
    block(torch.randn(2, 3, 8, 8)).sum().backward()
    assert block.weight.grad is not None
    block.weight.requires_grad_(False)
    block.bias.requires_grad_(False)
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    block(x).sum().backward()
    assert x.grad.abs().sum() > 0


def test_second_derivatives_are_refused_clearly():
    block, _ = twins(3, 8)
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    with pytest.raises(UsageError, match="first derivatives only"):
        torch.autograd.grad(block(x).sum(), x, create_graph=True)


def test_under_autocast_it_stays_in_float32():
    block, layers = twins(3, 8)
    x = torch.randn(2, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        found = block(x.bfloat16())
        assert found.dtype == torch.float32
    torch.testing.assert_close(found, layers(x.bfloat16().float()), rtol=1e-4, atol=1e-5)


def test_other_numbers_and_devices_run_as_the_three_layers():
    block, layers = twins(3, 8)
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(block.double()(x), layers.double()(x))
    assert block.to("meta")(x.to("meta")).shape == (2, 8, 3, 3)
    empty, _ = twins(3, 8)
    assert empty(torch.zeros(0, 3, 8, 8)).shape == (0, 8, 3, 3)


def test_what_does_not_fit_is_said():
    block, _ = twins(3, 8)
    with pytest.raises(ShapeError, match=r"\(batch, 3, height, width\) was wanted"):
        block(torch.zeros(2, 1, 8, 8))
    with pytest.raises(ShapeError, match="of which 2x2 pooling leaves nothing"):
        block(torch.zeros(2, 3, 3, 8))


def test_it_can_be_copied_saved_and_exported(tmp_path):
    block, layers = twins(3, 8, padding=1)
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(copy.deepcopy(block)(x), layers(x), rtol=1e-4, atol=1e-5)
    assert repr(block) == "ConvBlock(3, 8, kernel_size=(3, 3), padding=(1, 1))"
    assert beak.torch.ConvBlock is ConvBlock
    assert torch.library.opcheck(
        torch.ops.beak.conv_block, (x, block.weight, block.bias, [1, 1]),
        test_utils=("test_schema", "test_faketensor"),
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_works_under_torch_compile():
    block, _ = twins(3, 8, padding=1)
    model = nn.Sequential(block, nn.Flatten(), nn.Linear(8 * 16, 2))
    x = torch.randn(4, 3, 8, 8)
    plain = model(x)
    plain.sum().backward()
    wanted = block.weight.grad.clone()
    model.zero_grad()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")  # traced, not built
    found = compiled(x)
    torch.testing.assert_close(found, plain, rtol=1e-4, atol=1e-5)
    found.sum().backward()
    torch.testing.assert_close(block.weight.grad, wanted, rtol=1e-4, atol=1e-5)
