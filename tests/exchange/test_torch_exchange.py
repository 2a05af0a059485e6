"""From PyTorch and back: modules, .pt2 files, state dicts."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest

import beak
from beak.cli.group import run as command
from beak.errors import RunError, UsageError
from beak.exchange.export import export
from beak.exchange.importing import compared, read_network
from beak.runs.model import load_model

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from beak.exchange.torch_read import read_module  # noqa: E402
from tests.exchange.torch_modules import STYLES, made  # noqa: E402

LABELS = ("ash", "birch", "cedar", "elm", "fir")


@pytest.mark.parametrize("style", STYLES)
def test_modules_answer_the_same_as_networks(style):
    module, shape = made(style), STYLES[style][1]
    imported = read_module(module, shape)
    assert compared(imported, 100) < 1e-4
    assert imported.original.by == "PyTorch"


def test_nodes_bear_the_names_that_the_module_gives():
    names = [node.name for node in read_module(made("resnet18"), (3, 32, 32)).network.nodes]
    assert {"conv1", "bn1", "layer1.0.conv1", "layer2.0.downsample.0", "fc"} <= set(names)


def test_a_module_is_left_as_it_was():
    module = made("vgg11").train()
    module.features.eval()
    read_module(module, (3, 32, 32))
    assert module.training
    assert not module.features.training
    assert module.classifier.training


def test_from_torch_makes_a_run_that_predicts_looks_and_is_written(tmp_path):
    module = made("resnet18")
    run = beak.from_torch(
        module, (3, 32, 32), tmp_path / "run", labels=LABELS, mean=(0.5, 0.4, 0.3), std=(0.2,) * 3
    )
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    given = (picture / 255 - (0.5, 0.4, 0.3)) / 0.2
    with torch.no_grad():
        wanted = module(torch.tensor(given.transpose(2, 0, 1)[None], dtype=torch.float32))
    found = run.predict(picture).probabilities
    for label, share in zip(LABELS, torch.softmax(wanted, 1)[0].tolist(), strict=True):
        assert found[label] == pytest.approx(share, abs=1e-5)
    assert beak.load(tmp_path / "run").labels == LABELS
    alone = beak.from_torch(module, (3, 32, 32))
    assert alone.labels == ("0", "1", "2", "3", "4")
    assert beak.explain(alone, picture, "activations").to_json()


class Odd(nn.Module):
    def __init__(self, part):
        super().__init__()
        self.conv, self.part = nn.Conv2d(3, 4, 1), nn.Sequential(part)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(self.part(self.conv(x)).mean((2, 3)))


@pytest.mark.parametrize(
    "part",
    [
        nn.Upsample(scale_factor=2),
        nn.Upsample(scale_factor=(3, 2)),
        nn.Upsample(size=(16, 24), mode="bilinear"),
        nn.UpsamplingNearest2d(scale_factor=2),
        nn.ZeroPad2d((1, 2, 0, 3)),
        nn.ZeroPad2d((-1, 2, 1, -2)),
        nn.Sequential(nn.Conv2d(4, 4, 3), nn.Upsample(scale_factor=2), nn.Conv2d(4, 4, 3)),
    ],
    ids=str,
)
def test_what_moves_numbers_is_taken(part):
    assert compared(read_module(Odd(part), (3, 8, 8)), 20) < 1e-4


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (nn.GroupNorm(2, 4), r"part\.0 \(GroupNorm\), group_norm: .* batch_norm and layer_norm"),
        (nn.ConvTranspose2d(4, 4, 2), r"part\.0 \(ConvTranspose2d\), .*: .*conv2d is there"),
        (nn.ELU(), r"part\.0 \(ELU\), elu: .*relu, gelu and silu are there"),
        (nn.Upsample(scale_factor=1.5), r"whole numbers along height and width"),
        (nn.UpsamplingBilinear2d(scale_factor=2), r"align_corners=False is"),
        (nn.AdaptiveAvgPool2d(3), r"windows of different sizes"),
        (nn.LayerNorm([4, 8, 8]), r"LayerNorm\), layer_norm: .*more than the channels"),
        (nn.BatchNorm2d(4, track_running_stats=False), r"BatchNorm2d\)"),
    ],
)
def test_what_cannot_be_taken_is_named_with_the_nearest(part, said):
    with pytest.raises(RunError, match=said):
        read_module(Odd(part), (3, 8, 8))


def test_what_cannot_be_traced_is_one_line():
    class Fails(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(RunError, match=r"^Fails: torch\.export cannot trace it") as caught:
        read_module(Fails(), (3, 8, 8))
    assert "\n" not in str(caught.value)
    with pytest.raises(RunError, match="cannot trace it with inputs"):
        read_module(made("resnet18"), (1, 32, 32))


def test_a_state_dict_is_read_as_tensors_alone(tmp_path):
    torch.save(made("vgg11", 5).state_dict(), tmp_path / "weights.pth")
    run = beak.from_torch(made("vgg11"), (3, 32, 32), weights=tmp_path / "weights.pth")
    np.testing.assert_array_equal(
        run.model.parameters["features.0.weight"],
        made("vgg11", 5).features[0].weight.detach().numpy(),
    )
    torch.save({"a": made("vgg11")}, tmp_path / "module.pth")
    with pytest.raises(RunError, match="no state dict of plain tensors"):
        beak.from_torch(made("vgg11"), (3, 32, 32), weights=tmp_path / "module.pth")
    with pytest.raises(RunError, match="does not fit the module"):
        beak.from_torch(made("resnet18"), (3, 32, 32), weights=tmp_path / "weights.pth")
    with pytest.raises(UsageError, match="is not there"):
        beak.from_torch(made("vgg11"), (3, 32, 32), weights=tmp_path / "none.pth")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("torch") / "run"
    return beak.from_torch(made("resnet18"), (3, 32, 32), path, labels=LABELS, mean=(0.4,) * 3)


def test_to_torch_and_back_is_the_same_network(run):
    module = beak.to_torch(run)
    assert set(module.state_dict()) == set(run.network.parameters)
    x = np.random.default_rng(0).standard_normal((9, *run.network.input)).astype(np.float32)
    with torch.no_grad():
        found = module(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, run.predictor.engine.forward(x), rtol=1e-4, atol=1e-5)
    again = read_module(module, run.network.input)
    assert compared(again, 20) < 1e-5
    assert [n.layer.kind for n in again.network.nodes] == [n.layer.kind for n in run.network.nodes]


def test_a_pt2_file_holds_the_preparation_and_comes_back_as_it_was(run, tmp_path):
    made_file = export(run, tmp_path / "net.pt2")
    assert made_file.form == "pt2"
    assert made_file.compared.inputs >= 200
    assert made_file.compared.difference < 1e-4
    program = torch.export.load(str(tmp_path / "net.pt2"))
    pixels = np.random.default_rng(3).integers(0, 256, (3, 3, 32, 32)).astype(np.uint8)
    with torch.no_grad():
        found = program.module()(torch.from_numpy(pixels.astype(np.float32))).numpy()
    logits = torch.from_numpy(run.predictor.engine.forward(run.spec.prepare(pixels)))
    wanted = torch.softmax(logits, 1).numpy()  # as beak predict answers
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    assert command(["import", str(tmp_path / "net.pt2"), str(tmp_path / "back")]) == 0
    back = load_model(tmp_path / "back")
    assert (back.network, back.labels) == (run.network, LABELS)
    assert back.spec == run.spec
    for name, value in run.model.parameters.items():
        np.testing.assert_array_equal(back.parameters[name], value)


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """A .pt2 that torch wrote itself."""
    path = tmp_path_factory.mktemp("pt2") / "vgg.pt2"
    program = torch.export.export(made("vgg11"), (torch.zeros(1, 3, 32, 32),))
    torch.export.save(program, str(path))
    return path


def test_a_pt2_file_of_torchs_is_read(foreign):
    assert compared(read_network(foreign), 20) < 1e-4


def changed(path, change):
    """The bytes of a .pt2 with its parts changed: a function of (name, bytes)."""
    out = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            new.writestr(entry.filename, change(entry.filename, old.read(entry)))
    return out.getvalue()


def with_pickle(name, content):
    if not name.endswith("weights_config.json"):
        return content
    found = json.loads(content)
    next(iter(found["config"].values()))["use_pickle"] = True
    return json.dumps(found)


def with_code(name, content):
    text = "\"expr_str\": \"__import__('os').system('true')\", "
    return (
        content.replace(b"{", b"{" + text.encode(), 1) if name.endswith("model.json") else content
    )


def with_objects(name, content):
    if not name.endswith("sample_inputs/model.pt"):
        return content
    file = io.BytesIO()
    torch.save(nn.Linear(1, 1), file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (with_pickle, "it holds a pickle"),
        (with_code, "its graph holds code"),
        (with_objects, "is more than numbers; not opened"),
        (lambda name, content: content[: len(content) // 2], "net.pt2: "),
    ],
)
def test_a_hostile_or_damaged_pt2_file_is_refused_unopened(foreign, tmp_path, change, said):
    (tmp_path / "net.pt2").write_bytes(changed(foreign, change))
    with pytest.raises(RunError, match=said):
        read_network(tmp_path / "net.pt2")


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "net.pt2").write_bytes(b"no zip at all")
    with pytest.raises(RunError, match="no exported program of PyTorch"):
        read_network(tmp_path / "net.pt2")
