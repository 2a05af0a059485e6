"""`beak explain`: every explanation as text, JSON, picture and page; wrong calls in one line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import beak
from beak.cli.canvas import Canvas
from beak.cli.colours import as_maps, as_rgb, coloured, grid_of, number, shades
from beak.cli.explain_pictures import PICTURES, TITLES, draw
from beak.cli.group import run
from beak.data.picture_spec import PictureSpec
from beak.errors import UsageError
from beak.lens.ask import WHAT
from beak.lens.explanation import Explanation
from beak.network.initial import initial_parameters
from beak.network.layers import Conv2D, Dense, Flatten, MaxPool2D
from beak.network.network import Network
from beak.runs.model import Model, save_model

SPEC = PictureSpec("pictures", (1, 8, 8), "pad", 0, (0.3,), (0.4,))
NEEDS = {"input": ["pictures/ash/0.png"], "examples": ["pictures"], "": []}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The current directory, with model.safetensors and a source of three classes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BEAK_CACHE", str(tmp_path / "cache"))
    layers = [
        Conv2D(4, 3, activation="relu"),
        MaxPool2D(2),
        Flatten(),
        Dense(3, activation="softmax"),
    ]
    network = Network((1, 8, 8), layers)
    labels = ("ash", "birch", "cedar")
    save_model(
        tmp_path / "model.safetensors", Model(network, SPEC, labels, initial_parameters(network, 1))
    )
    random = np.random.default_rng(0)
    for label in labels:
        (tmp_path / "pictures" / label).mkdir(parents=True)
        for i in range(20):
            pixels = random.integers(0, 256, (8, 8), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / label / f"{i}.png")
    return tmp_path


def arguments(what, *more):
    return ["explain", "model.safetensors", *NEEDS[WHAT[what].needs], "--what", what, *more]


@pytest.mark.parametrize("what", WHAT)
def test_every_explanation_as_text_json_picture_and_page(place, capsys, what):
    assert run(arguments(what, "--out", "a.png")) == 0
    assert capsys.readouterr().out.strip()
    with Image.open("a.png") as picture:
        assert picture.width == 1800
        colours = picture.convert("RGB").getcolors(1 << 24)
        assert len(colours) > 20
    assert run(arguments(what, "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["what"] == what
    assert told["arrays"]
    assert run(arguments(what, "--out", "a.html")) == 0
    page = (place / "a.html").read_text()
    assert "data:image/png;base64," in page
    assert "http" not in page.replace("http-equiv", "")
    assert run(arguments(what, "--out", "a.json")) == 0
    capsys.readouterr()
    back = Explanation.from_json(json.loads((place / "a.json").read_text()))
    assert back.caption == told["caption"]


def test_there_is_a_picture_and_a_title_for_each():
    assert WHAT.keys() == PICTURES.keys() == TITLES.keys()


def test_a_cell_is_told_term_by_term(place, capsys):
    assert run(arguments("arithmetic", "--layer", "conv1", "--cell", "2,1,3")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("conv1[2, 1, 3] = ")
    terms = [line for line in lines if line.strip().startswith("input[0, ")]
    assert len(terms) == 9
    total = sum(float(line.rpartition("=")[2]) for line in terms)
    assert f"sum {total:.2g}"[:7] in "\n".join(lines)


def test_standard_input_is_one_picture(place, capsys, monkeypatch):
    import io
    import sys

    raw = (place / "pictures/ash/0.png").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
    assert run(["explain", "model.safetensors", "-", "--method", "gradient", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["facts"]["method"] == "gradient"
    assert told["facts"]["input"]["kind"] == "pictures"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["x.png"], "no file 'x.png'"),
        (["pictures"], "is a folder; one input is wanted"),
        ([], "--what moved needs an input, such as cat.jpg"),
        (["--what", "moovd"], "did you mean 'moved'?"),
        (["--what", "patches"], "needs a source, such as digits"),
        (["pictures/ash/0.png", "--what", "filters"], "looks at the network alone"),
        (["pictures/ash/0.png", "--cell", "1,2"], "it is for arithmetic"),
        (["pictures/ash/0.png", "--what", "arithmetic", "--cell", "a,b"], "such as 0,3,4 were"),
        (["--what", "twin", "--rows", "3"], "such as 0:5 were wanted"),
        (["--what", "twin", "--layer", "pool1"], "'pool1' is a MaxPool2D; the twin is for conv1"),
        (["--what", "looks-for", "--units", "99"], "0 to 2 are there"),
        (["pictures/ash/0.png", "--out", "a.gif"], "ends in .png, .html or .json"),
        (["pictures/ash/0.png", "--out", "no/a.png"], "there is no folder 'no'"),
        (["pictures/ash/0.png", "--answer", "bich"], "did you mean 'birch'?"),
        (["pictures/ash/0.png", "--method", "camm"], "did you mean 'cam'?"),
        (["model.safetensors"], "picture"),
        (["pictures/ash/0.png", "--move", "3"], "a network that plays Go"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_a_wrong_call_is_one_line(place, capsys, words, said):
    code = run(["explain", "model.safetensors", *words])
    told = capsys.readouterr()
    assert code in (1, 2)
    assert told.err.count("\n") == 1
    assert said in told.err, told.err
    assert told.out == ""


def test_the_face_explains_a_run(place):
    trained = beak.load("model.safetensors")
    told = beak.explain(trained, "pictures/ash/0.png", what="arithmetic", layer="conv1")
    assert told.facts["input"]["name"] == "pictures/ash/0.png"
    assert told.facts["value"] == pytest.approx(told.facts["engine"], abs=1e-5)
    found = beak.explain(trained, "pictures", what="patches", part="all", k=3)
    assert found["conv1.patch"].shape == (4, 3, 1, 3, 3)
    assert all(name.startswith(("ash", "birch", "cedar")) for name in found.facts["names"].values())
    with pytest.raises(UsageError, match=r'beak.load\("RUN"\)'):
        beak.explain("model.safetensors", "x.png")
    with pytest.raises(UsageError, match="moved knows no cell"):
        beak.explain(trained, "x.png", cell=(0,))
    with pytest.raises(UsageError, match="needs an input to look at"):
        beak.explain(trained)


def test_examples_of_a_part_are_prepared_as_in_training(place):
    trained = beak.load("model.safetensors")
    whole, few = (trained.examples("pictures", part="all", most=n) for n in (None, 7))
    assert (len(whole), len(few)) == (60, 7)
    opened = trained.opened(place / "pictures" / whole.names([4])[0])
    np.testing.assert_array_equal(whole.fetch(np.array([4])), opened.inputs)
    assert set(whole.labels) == {0, 1, 2}


def test_colours_are_told_apart_by_their_brightness():
    ramp = coloured(np.linspace(0, 1, 20), 0, 1, ((250, 251, 248), (46, 24, 88)))
    assert (np.diff(ramp.astype(int).sum(1)) <= 0).all()
    both = shades(np.array([[-2.0, 0.0, 2.0, np.nan]]))[0].astype(int)
    assert both[0][2] > both[0][0]  # blue below 0
    assert both[2][0] > both[2][2]  # orange above
    assert both[1].min() > 240
    assert (both[3] == both[3]).all()
    np.testing.assert_array_equal(both[3], (238, 240, 243))


def test_maps_lie_beside_each_other_with_gaps():
    maps = np.arange(3 * 4, dtype=float).reshape(3, 2, 2)
    whole = grid_of(maps)
    assert np.isnan(whole).any()
    assert set(whole[~np.isnan(whole)]) == set(range(12))
    assert as_maps(np.arange(120.0)).shape == (1, 2, 100)
    assert as_rgb(np.zeros((4, 5, 5))) is None
    assert as_rgb(np.ones((3, 5, 6)), np.zeros(3), np.ones(3)).min() == 255


def test_a_sheet_grows_and_shows_letters_that_it_has():
    sheet = Canvas(300)
    for k in range(60):
        sheet.paragraph(f"line {k} with words that are broken between the margins of the sheet")
    assert sheet.finished().height > 2400
    sheet.text(0, sheet.y, "中文 \x1b[31m", 12)
    assert number(float("nan")) == "nan"


def test_words_are_drawn_on_their_colours():
    told = Explanation(
        "moved",
        "What moved it.",
        {"heat": np.array([0.5, -0.2, 0, 0.1], np.float32)},
        {"signed": True, "where": "words", "input": {"places": ("a", "fine", "film")}},
    )
    assert draw(told).finished().height > 300


@pytest.mark.parametrize("planes", [1, 4])
def test_a_board_shows_stones_and_heat(planes):
    inputs = np.zeros((planes, 9, 9), np.float32)
    inputs[0, 2, 3] = 1
    inputs[min(1, planes - 1), 5, 5] = 1 if planes > 1 else -1
    heat = np.zeros((9, 9), np.float32)
    heat[4, 4] = -1
    facts = {"signed": True, "where": "input", "input": {"kind": "go"}}
    picture = draw(Explanation("moved", "What moved it.", {"heat": heat}, facts), inputs).finished()
    found = {colour for _, colour in picture.getcolors(1 << 24)}
    assert {(31, 41, 51), (5, 48, 97), (250, 243, 228)} <= found


def test_a_line_of_numbers_is_drawn_as_bars():
    told = Explanation(
        "moved",
        "What moved it.",
        {"heat": np.sin(np.arange(200.0))},
        {"signed": True, "where": "input"},
    )
    assert draw(told, np.zeros((1, 200), np.float32)).finished().height > 300
