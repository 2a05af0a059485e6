"""`beak import` as it is typed: the run it makes, what it says, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from beak.cli.group import run as beak
from beak.data.picture_spec import PictureSpec
from beak.engine.onnx_running import onnx_session
from beak.exchange import importing
from beak.exchange.import_run import Preparation, import_network
from beak.exchange.importing import Imported, Original
from beak.network.initial import initial_parameters
from beak.network.layers import Dense, Flatten
from beak.network.network import Network
from beak.runs.run import load
from tests.exchange.onnx_elsewhere import Elsewhere


def colours(g):
    x = g("Relu", g.conv("input", 3, 4, 3))
    return g.gemm(g("Flatten", x), 64, 3)


@pytest.fixture
def there(tmp_path, monkeypatch):
    """A file for colour pictures of 6x6, one for rows of 5 numbers, and a picture."""
    monkeypatch.chdir(tmp_path)
    g = Elsewhere((3, 6, 6))
    (tmp_path / "net.onnx").write_bytes(g.model(colours(g)))
    g = Elsewhere((5,))
    (tmp_path / "rows.onnx").write_bytes(g.model(g.gemm("input", 5, 3)))
    pixels = np.random.default_rng(0).integers(0, 256, (6, 6, 3), np.uint8)
    Image.fromarray(pixels).save("cat.png")
    np.save("row.npy", np.arange(5, dtype=np.float32))
    return pixels


def shares(pixels):
    """What the file answers to pixels (3, 6, 6) as it reads them."""
    (found,) = onnx_session(Path("net.onnx").read_bytes(), 1).run(
        None, {"input": pixels[None].astype(np.float32)}
    )
    powers = np.exp(found[0] - found[0].max())
    return powers / powers.sum()


def test_a_run_that_is_there_is_kept_and_the_call_was_wrong(there, capsys):
    assert beak(["import", "rows.onnx", "imported"]) == 0
    before = Path("imported/model.safetensors").read_bytes()
    assert beak(["import", "net.onnx", "imported"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == "beak import: imported holds a run already; give another place or --overwrite"
    assert Path("imported/model.safetensors").read_bytes() == before
    assert beak(["import", "net.onnx", "imported", "--overwrite"]) == 0


def test_the_run_predicts_as_the_file_does_on_the_prepared_picture(there, capsys):
    words = ["--mean", "0.5,0.4,0.3", "--std", "0.2", "--labels", "names.txt"]
    Path("names.txt").write_text("cat\ndog\ncat\n")
    assert beak(["import", "net.onnx", "imported", *words]) == 0
    told = capsys.readouterr()
    assert "compared with ONNX Runtime: largest difference" in told.out
    assert "'cat (2)'" in told.err
    prepared = (there / 255 - np.array([0.5, 0.4, 0.3])) / 0.2
    wanted = shares(prepared.transpose(2, 0, 1))
    found = load("imported").predict("cat.png").probabilities
    np.testing.assert_allclose([found[n] for n in ("cat", "dog", "cat (2)")], wanted, atol=1e-4)


def test_blue_first_turns_the_colours_round(there):
    import_network("net.onnx", "imported", preparation=Preparation(
        scale=1.0, mean=(103.0, 116.0, 123.0), std=(60.0,), colour="bgr"))  # fmt: skip
    prepared = (there[..., ::-1] - np.array([103.0, 116, 123])) / 60
    found = load("imported").predict("cat.png").probabilities
    np.testing.assert_allclose(
        [found[n] for n in "012"], shares(prepared.transpose(2, 0, 1)), atol=1e-4
    )


def test_without_more_pixels_are_0_to_1_and_labels_numbers(there, capsys):
    assert beak(["import", "net.onnx", "imported", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["input"] == [3, 6, 6]
    assert told["labels"] == 3
    assert told["compared"]["difference"] < 1e-5
    assert any("--scale, --mean and --std" in text for text in told["notes"])
    run = load("imported")
    assert run.labels == ("0", "1", "2")
    assert run.spec == PictureSpec("pictures", (3, 6, 6), "crop", 0, (0.0,) * 3, (1.0,) * 3)
    np.testing.assert_allclose(
        list(dict(sorted(run.predict("cat.png").probabilities.items())).values()),
        shares(there.transpose(2, 0, 1) / 255), atol=1e-4,
    )  # fmt: skip


def test_numbers_in_a_row_are_read_from_npy(there, capsys):
    assert beak(["import", "rows.onnx", "imported"]) == 0
    assert beak(["predict", "imported", "row.npy"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("row.npy\t")
    assert beak(["predict", "imported", "cat.png"]) == 1
    assert "(5,) numbers are wanted" in capsys.readouterr().err
    assert beak(["export", "imported", "again.onnx"]) == 0
    assert beak(["export", "imported", "again.c"]) == 0


def test_all_that_a_run_is_for_takes_it(there, capsys):
    assert beak(["import", "net.onnx", "imported"]) == 0
    for words in (["summary"], ["explain"], ["export"]):
        more = {"explain": ["cat.png"], "export": ["out.onnx"]}.get(words[0], [])
        assert beak([*words, "imported", *more]) == 0, capsys.readouterr().err


def test_a_difference_ends_with_1_and_no_run(there, capsys, monkeypatch, tmp_path):
    network = Network((1, 2, 2), [Flatten(), Dense(3)])
    wrong = Original("Nobody", lambda x: np.ones((len(x), 3)))
    monkeypatch.setitem(importing.READERS, ".onnx", lambda path, shape: Imported(
        network, initial_parameters(network, 0), original=wrong))  # fmt: skip
    assert beak(["import", "net.onnx", "imported"]) == 1
    assert "answers otherwise than the file does in Nobody" in capsys.readouterr().err
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["import", "nowhere.onnx", "r"],
        ["import", "cat.png", "r"],
        ["import", "net.onnx"],
        ["import", "net.onnx", "r", "--mean", "1,2"],
        ["import", "net.onnx", "r", "--std", "0"],
        ["import", "net.onnx", "r", "--scale", "a/b"],
        ["import", "net.onnx", "r", "--scale", "1/0"],
        ["import", "net.onnx", "r", "--labels", "cat.png"],
        ["import", "net.onnx", "r", "--labels", "nowhere"],
        ["import", "net.onnx", "r", "--numbers", "--fit", "pad"],
        ["import", "net.onnx", "r", "--input-shape", "3,x"],
        ["import", "net.onnx", "r", "--input-shape", "3,9,9"],
        ["import", "rows.onnx", "r", "--mean", "0.5"],
        ["import", "net.onnx", "cat.png"],
        ["look", "nowhere.onnx"],
    ],
)
def test_a_wrong_call_is_one_line_and_no_run(there, capsys, tmp_path, words):
    assert beak(words) == 2
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith("beak")
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("text", ['["a", "b", "c"]', '{"0": "a", "1": ["n01", "b"], "2": "c"}'])
def test_labels_come_from_json_too(there, tmp_path, text):
    (tmp_path / "names.json").write_text(text)
    made = import_network("net.onnx", labels="names.json")
    assert made.model.labels == ("a", "b", "c")


def test_the_page_opens_on_the_file_itself(there):
    from beak.cli.importing import open_run
    from beak.web.session import Session
    from beak.web.telling import network_json

    run = open_run(Path("net.onnx"))
    session = Session(run)
    told = network_json(session)
    assert told["name"] == "net"
    assert [layer["kind"] for layer in told["layers"]] == ["Conv2D", "Flatten", "Dense"]
    seen = session.seen(session.open(Path("cat.png").read_bytes()))
    np.testing.assert_allclose(seen.look.logits, run.predictor.engine.logits(
        run.spec.prepare(there.transpose(2, 0, 1)[None]))[0], atol=1e-5)  # fmt: skip
