"""Modules of PyTorch that beak has not all layers for: the rest as boxes that PyTorch computes."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

import beak  # noqa: E402
from beak.engine.make import make_engine  # noqa: E402
from beak.errors import NetworkError, RunError, UsageError  # noqa: E402
from beak.exchange.export import export  # noqa: E402
from beak.exchange.importing import compared  # noqa: E402
from beak.exchange.torch_look import module_as_run  # noqa: E402
from beak.exchange.torch_parts import read_boxed  # noqa: E402
from beak.lens.arithmetic import arithmetic  # noqa: E402
from beak.lens.subject import Look, Subject  # noqa: E402
from beak.network.layers import Opaque  # noqa: E402
from beak.network.network import Network  # noqa: E402
from beak.web.session import Session  # noqa: E402
from beak.web.telling import maps_bytes  # noqa: E402


class Gate(nn.Module):
    """Squeeze and excite, its hard sigmoid written by hand."""

    def __init__(self, softly=False):
        super().__init__()
        self.fc1, self.fc2, self.softly = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1), softly

    def forward(self, x):
        share = self.fc2(torch.relu(self.fc1(x.mean((2, 3), keepdim=True))))
        share = functional.softplus(share) if self.softly else torch.clamp(share + 3, 0, 6) / 6
        return x * share


class ChannelNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(8) + 0.5)

    def forward(self, x):
        away = x - x.mean(1, keepdim=True)
        return (
            away / torch.sqrt(away.pow(2).mean(1, keepdim=True) + 1e-6) * self.weight[:, None, None]
        )


class Frequencies(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(8, 8, 5, dtype=torch.cfloat))

    def forward(self, x):
        return torch.fft.irfft2(torch.fft.rfft2(x) * self.weight, s=x.shape[-2:])


class Root(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.sign() * x.abs().sqrt()

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class Own(nn.Module):
    def forward(self, x):
        return Root.apply(x)


class Moved(nn.Module):
    """As a deformable layer looks elsewhere: where, it computes from the input."""

    def __init__(self):
        super().__init__()
        self.where = nn.Conv2d(8, 2, 3, padding=1)
        line = torch.linspace(-1, 1, 8)
        self.register_buffer("grid", torch.stack(torch.meshgrid(line, line, indexing="xy"), -1))

    def forward(self, x):
        off = torch.tanh(self.where(x)).permute(0, 2, 3, 1)
        return functional.grid_sample(x, self.grid + 0.3 * off, align_corners=True)


class Attention(nn.Module):
    """Pooling by attention over all places."""

    def __init__(self):
        super().__init__()
        self.key, self.out = nn.Linear(8, 1), nn.Linear(8, 8)

    def forward(self, x):
        places = x.flatten(2).transpose(1, 2)
        shares = self.key(places).softmax(1)
        pooled = shares.transpose(1, 2) @ places
        return self.out(pooled).transpose(1, 2)[..., None]


class Strongest(nn.Module):
    """Two values of one operator, and whole numbers in between."""

    def forward(self, x):
        values, _ = x.topk(3, dim=1)
        return torch.cat([x, values, x.sort(1, descending=True)[0][:, :2]], 1)[:, :8]


class Branching(nn.Module):
    """Goes another way by what it computes, which torch.export cannot follow."""

    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(x) if x[:, 0].mean() > 0 else -x


class Grown(nn.Module):
    """Writes into what it was given, and into a tensor of its own."""

    def __init__(self):
        super().__init__()
        self.register_buffer("table", torch.ones(8))

    def forward(self, x):
        table = self.table.clone()
        table += 1
        y = functional.elu(x)
        y *= table[:, None, None]
        return y


PARTS = {
    "GroupNorm": nn.GroupNorm(2, 8),
    "LayerNorm over all": nn.LayerNorm([8, 8, 8]),
    "InstanceNorm2d": nn.InstanceNorm2d(8, affine=True),
    "Mish": nn.Mish(),
    "ELU": nn.ELU(),
    "ConvTranspose2d": nn.ConvTranspose2d(8, 8, 2, stride=2),
    "AdaptiveAvgPool2d": nn.AdaptiveAvgPool2d(3),
    "padded": nn.Sequential(nn.ZeroPad2d((1, 2, 0, 1)), nn.Mish()),
    "after a logarithm": nn.Sequential(nn.LogSoftmax(1), nn.ELU()),
    "softly gated": Gate(softly=True),
    "ChannelNorm": ChannelNorm(),
    "Frequencies": Frequencies(),
    "Own": Own(),
    "Moved": Moved(),
    "Attention": Attention(),
    "Strongest": Strongest(),
    "Branching": Branching(),
    "Grown": Grown(),
}


class Around(nn.Module):
    """A usual network with a part in its middle."""

    def __init__(self, part):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), part, nn.Conv2d(8, 6, 1)
        )
        self.fc = nn.Linear(6, 4)

    def forward(self, x):
        return self.fc(self.features(x).mean((2, 3)))


def around(name):
    torch.manual_seed(3)
    return Around(PARTS[name])


def boxes_of(network):
    return {
        node.name: node.layer.operator for node in network.nodes if isinstance(node.layer, Opaque)
    }


@pytest.mark.parametrize("name", PARTS)
def test_a_module_with_a_part_that_beak_lacks_answers_as_it_does(name):
    module = around(name).train()
    found = read_boxed(module, (3, 8, 8))
    assert compared(found, 100) < 1e-4
    boxes = boxes_of(found.network)
    assert boxes
    assert all(one.startswith("features.2") for one in boxes)
    layers = {node.name: node.layer.kind for node in found.network.nodes}
    assert (layers["features.0"], layers["fc"]) == ("Conv2D", "Dense")
    assert layers["features.3"] == ("Dense" if name == "Attention" else "Conv2D")
    assert module.training
    assert module.features[2].training
    assert "forward" not in vars(module.features[2])
    inputs = np.random.default_rng(0).normal(size=(3, 3, 8, 8)).astype(np.float32)
    engine = make_engine(found.network, found.parameters)
    whole = engine.activations(inputs)
    alone = engine.forward(inputs[1:2])
    np.testing.assert_allclose(whole[found.network.nodes[-1].name][1:2], alone, atol=1e-5)


def test_every_layer_and_box_gives_what_its_module_gives():
    module = Around(nn.Sequential(nn.GroupNorm(2, 8), nn.Mish(), ChannelNorm())).eval()
    seen = {}
    x = torch.randn(1, 3, 8, 8)
    run, array = module_as_run(module, x)
    for path, part in module.named_modules():
        part.register_forward_hook(
            lambda _, given, gave, path=path: seen.update({path: gave.detach().numpy()})
        )
    with torch.no_grad():
        module(x)
    values = make_engine(run.network, run.model.parameters).activations(array[None])
    assert boxes_of(run.network) == {
        "features.2.0": "GroupNorm", "features.2.1": "Mish", "features.2.2": "ChannelNorm",
    }  # fmt: skip
    for path in ("features.2.0", "features.2.1", "features.2.2", "features.3", "fc"):
        np.testing.assert_allclose(values[path], seen[path], atol=1e-5)
    assert run.network.node("features.2.0").parameter_count == 0
    assert set(run.network.node("features.2.0").parameters) == {
        "features.2.0.argument1",
        "features.2.0.argument2",
    }


def test_what_beak_has_layers_for_stays_open_within_a_part():
    hand = read_boxed(Around(Gate()), (3, 8, 8))
    assert not boxes_of(hand.network)
    soft = read_boxed(Around(Gate(softly=True)), (3, 8, 8))
    assert list(boxes_of(soft.network)) == ["features.2.softplus"]
    assert soft.network.node("features.2.softplus").output == (8,)  # maps of 1x1 are a row
    assert {"features.2.fc1", "features.2.fc2"} <= {node.name for node in soft.network.nodes}


def test_a_part_used_twice_is_two_boxes():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.act, self.fc = nn.Conv2d(3, 4, 1), nn.Mish(), nn.Linear(4, 2)

        def forward(self, x):
            return self.fc(self.act(self.act(self.conv(x))).mean((2, 3)))

    found = read_boxed(Twice(), (3, 4, 4))
    assert list(boxes_of(found.network)) == ["act", "act2"]
    assert compared(found) < 1e-5


def test_the_page_tells_a_box_by_its_module_and_its_neighbours_add_up():
    run, array = module_as_run(around("GroupNorm"), torch.randn(3, 8, 8))
    look = Look.at(Subject(run.network, run.model.parameters), array)
    told = arithmetic(look, "features.2", (2, 3, 4))
    assert "computed by PyTorch's GroupNorm; beak does not open it" in told.caption
    for node in run.network.nodes:
        index = tuple(size - 1 for size in node.output)
        facts = arithmetic(look, node.name, index).facts
        assert abs(facts["value"] - facts["engine"]) <= 1e-5 * max(facts["scale"], 1e-9)
    session = Session(run)
    raw = maps_bytes(session, session.seen(session.given(array)))
    head = json.loads(raw[4 : 4 + int.from_bytes(raw[:4], "little")])
    assert sum(head["answers"]) == pytest.approx(1, abs=1e-6)
    with torch.no_grad():
        wanted = torch.softmax(around("GroupNorm").eval()(torch.from_numpy(array[None])), 1)[0]
    assert head["answers"] == pytest.approx(wanted.tolist(), abs=1e-5)


def test_explain_and_predict_take_a_run_with_boxes():
    run = beak.from_torch(around("Mish"), (3, 8, 8), boxes=True, labels=list("abcd"))
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    assert set(run.predict(picture).probabilities) == set("abcd")
    assert beak.explain(run, picture, "moved", method="occlusion").arrays["heat"].shape == (8, 8)
    with pytest.raises(UsageError, match=r"features\.2 \(Mish\): computed by PyTorch.*no gradient"):
        beak.explain(run, picture, "moved", method="integrated")


def test_who_imports_a_module_with_such_a_part_is_told_of_the_page():
    with pytest.raises(
        RunError, match=r"features\.2 \(Mish\), mish: .*beak\.look\(module, input\)"
    ):
        beak.from_torch(around("Mish"), (3, 8, 8))


def test_boxes_are_in_no_file(tmp_path):
    with pytest.raises(UsageError, match="in no file"):
        beak.from_torch(around("Mish"), (3, 8, 8), tmp_path / "run", boxes=True)
    run = beak.from_torch(around("Mish"), (3, 8, 8), boxes=True)
    for name in ("net.onnx", "net.c", "net.pt2"):
        with pytest.raises(UsageError, match=r"features\.2 \(Mish\)"):
            export(run, tmp_path / name)
    assert not list(tmp_path.iterdir())
    told = json.loads(json.dumps(run.network.to_json()))
    again = Network.from_json(told)
    assert again == run.network
    with pytest.raises(RunError, match=r"features\.2: a part of a PyTorch module.*beak\.look"):
        make_engine(again, run.model.parameters)
    for change in ({"by": "pickle"}, {"run": "os.system"}):
        with pytest.raises(NetworkError):
            Network.from_json(
                {
                    **told,
                    "nodes": [n | change if n["kind"] == "Opaque" else n for n in told["nodes"]],
                }
            )


class Draws(nn.Module):
    def forward(self, x):
        return x + torch.rand_like(x)


class Decides(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1)

    def forward(self, x):
        y = self.conv(x).mean((2, 3))
        return y if y.sum() > 0 else -y


@pytest.mark.parametrize(
    ("module", "given", "said"),
    [
        (Around(Draws()), torch.zeros(3, 8, 8), r"features\.2.*draws random numbers"),
        (Decides(), torch.zeros(3, 8, 8), r"Decides: torch\.export cannot .*decides by computed"),
        (nn.Conv2d(3, 2, 1), torch.zeros(3, 8, 8), r"answers 2x8x8 numbers; .*a row"),
    ],
)
def test_what_cannot_be_looked_at_is_one_line(module, given, said, capfd):
    with pytest.raises(RunError, match=said) as caught:
        module_as_run(module, given)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_an_input_that_a_module_cannot_take_is_refused_with_the_way():
    for given in (None, "cat.jpg"):
        with pytest.raises(UsageError, match=r"boxes=True"):
            module_as_run(around("Mish"), given)
    with pytest.raises(UsageError, match=r"2 inputs came in"):
        module_as_run(around("Mish"), torch.zeros(2, 3, 8, 8))
    with pytest.raises(RunError, match=r"Around: torch\.export cannot trace it.*\(1, 4, 8, 8\)"):
        module_as_run(around("Mish"), torch.zeros(4, 8, 8))
