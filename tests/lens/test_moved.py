"""What moved the answer: slopes against finite differences, parts that add up, the right layer."""

from __future__ import annotations

import numpy as np
import pytest

from beak.errors import UsageError
from beak.lens.cam import cam_layers, class_map, on_input
from beak.lens.moved import METHODS, moved, usual_patch
from beak.lens.subject import Look, Subject
from beak.lens.surface import surface_of
from beak.network.catalogue import make_network
from beak.network.layers import Conv2D, Dense, Embedding, Flatten, GlobalAvgPool
from beak.network.network import Network
from beak.network.receptive import Field, receptive_fields
from tests.lens.conftest import NETWORKS, input_of, look_at, parameters_of

WITH_MAPS = [name for name in NETWORKS if name != "sums"]


def test_slopes_are_finite_differences(look):
    surface = surface_of(look.subject)
    point = surface.point(look.inputs)
    random = np.random.default_rng(0)
    wanted = random.normal(size=(1, look.subject.answers))
    slope = surface.gradient(point, wanted)
    step = random.normal(size=point.shape)
    step /= np.linalg.norm(step)
    size = 2e-2
    ends = [surface.scores((point + s * size * step).astype(np.float32)) for s in (1, -1)]
    found = ((ends[0].astype(float) - ends[1]) * wanted).sum() / (2 * size)
    told = (slope * step).sum()
    if abs(found - told) > 0.02 * max(1.0, np.linalg.norm(slope)):
        # a kink lay between: the tiny step lies on one side of it
        size = 1e-3
        ends = [surface.scores((point + s * size * step).astype(np.float32)) for s in (1, -1)]
        found = ((ends[0].astype(float) - ends[1]) * wanted).sum() / (2 * size)
    assert abs(found - told) <= 0.03 * max(1.0, np.linalg.norm(slope))


def test_points_of_words_score_as_the_words_do():
    look = look_at(NETWORKS["sentence"])
    surface = surface_of(look.subject)
    batch = np.stack([look.inputs[0], look.inputs[0][::-1]])
    points = surface.point(batch)
    assert points.shape == (2, 6, 9)
    np.testing.assert_allclose(surface.scores(points), look.subject.engine.logits(batch), atol=1e-5)


def test_integrated_gradients_add_up_to_the_change(look):
    told = moved(look, "integrated")
    surface = surface_of(look.subject)
    ends = np.stack([surface.point(look.inputs)[0], np.zeros(surface.shape, np.float32)])
    logits = surface.scores(ends)[:, told.facts["answer_number"]]
    change = float(logits[0]) - float(logits[1])
    assert told.facts["change"] == pytest.approx(change, abs=1e-5)
    assert abs(told["attribution"].sum() - change) <= 0.01 * abs(change) + 1e-4
    assert told["heat"].sum() == pytest.approx(told["attribution"].sum(), abs=1e-3)


def test_a_linear_networks_parts_are_weight_times_input():
    network = Network((1, 3, 4), [Flatten(), Dense(2)])
    look = look_at(network)
    told = moved(look, "integrated", answer=1)
    wanted = look.subject.parameters["dense1.weight"][1] * look.inputs[0].ravel()
    np.testing.assert_allclose(told["attribution"].ravel(), wanted, atol=1e-5)
    without = moved(look, "occlusion", answer=1, patch=1)
    np.testing.assert_allclose(without["heat"].ravel(), wanted, atol=1e-5)
    slope = moved(look, "gradient", answer=1)["attribution"].ravel()
    np.testing.assert_allclose(slope, look.subject.parameters["dense1.weight"][1], atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", WITH_MAPS)
def test_every_method_gives_a_number_for_each_place(name, method):
    look = look_at(NETWORKS[name])
    told = moved(look, method)
    places = surface_of(look.subject).shape[1:]
    assert told["heat"].shape == places
    assert np.isfinite(told["heat"]).all()
    assert told.facts["answer_number"] == int(look.logits.argmax())
    if name == "sentence":
        assert told["real"].sum() == 6
        if method in ("integrated", "occlusion"):
            assert not told["heat"][~told["real"]].any()  # padding moves nothing


def test_without_maps_grad_cam_names_the_other_ways():
    look = look_at(NETWORKS["sums"])
    with pytest.raises(UsageError, match="ask for another method: gradient, integrated"):
        moved(look, "cam")
    with pytest.raises(UsageError, match="did you mean 'cam'"):
        moved(look, "camm")
    look = look_at(NETWORKS["picture"])
    with pytest.raises(UsageError, match="'dense1' has no places"):
        moved(look, "cam", layer="dense1")


@pytest.mark.parametrize(
    ("name", "shape", "wanted"),
    [
        ("lecture", (1, 28, 28), ["conv2"]),
        ("lenet5", (1, 28, 28), ["conv2"]),
        ("resnet8", (3, 32, 32), ["res3.relu"]),
        ("resnet20", (3, 32, 32), ["res9.relu"]),
    ],
)
def test_grad_cam_finds_the_last_maps(name, shape, wanted):
    assert cam_layers(make_network(name, shape, 10)) == wanted


def test_grad_cam_passes_over_a_map_that_is_the_answer_and_takes_all_branches():
    assert cam_layers(NETWORKS["go"]) == ["conv1"]
    assert cam_layers(NETWORKS["sentence"]) == [
        "parallel1.branch1.conv1",
        "parallel1.branch2.conv1",
    ]


def test_grad_cam_of_average_pooling_is_the_class_map():
    network = Network((1, 6, 6), [Conv2D(3, 3), GlobalAvgPool(), Dense(2)])
    look = look_at(network)
    told = moved(look, "cam", answer=0)
    weight = look.subject.parameters["dense1.weight"][0]
    plain = np.tensordot(weight, look.values["conv1"], axes=1) / 16
    np.testing.assert_allclose(told["map_conv1"], np.maximum(plain, 0), atol=1e-5)


def test_a_map_lies_on_the_input_where_its_cells_look():
    network = Network((1, 9, 9), [Conv2D(1, 3, stride=3)])
    small = np.zeros((3, 3), np.float32)
    small[1, 2] = 1
    large = on_input(small, receptive_fields(network)["conv1"], [9, 9])
    assert np.unravel_index(large.argmax(), large.shape) == (4, 7)  # the middle of its window
    assert large[4, 7] == 1
    flat = on_input(np.ones((3, 3)), receptive_fields(network)["conv1"], [9, 9])
    np.testing.assert_array_equal(flat, np.ones((9, 9)))
    one = on_input(np.full((1,), 2.0), (Field(9, 1, 0, 1),), [4])
    assert one.tolist() == [2, 2, 2, 2]


def test_class_maps_cut_what_speaks_against():
    network = Network((1, 4, 4), [Conv2D(2, 1)])
    values, slopes = np.ones((2, 4, 4)), np.full((2, 4, 4), -1.0)
    small, large = class_map(network, "conv1", values, slopes)
    assert not small.any()
    assert not large.any()


def test_occlusion_finds_the_one_place_that_counts():
    network = Network((1, 28, 28), [Flatten(), Dense(2, bias=False)])
    weight = np.zeros((2, 784), np.float32)
    weight[1, 10 * 28 + 20] = 5
    look = Look.at(Subject(network, {"dense1.weight": weight}), np.ones((1, 28, 28), np.float32))
    told = moved(look, "occlusion")
    assert told.facts["patch"] == (4, 4)
    heat = told["heat"]
    assert heat[10, 20] == heat.max() > 0
    assert not heat[:5].any()


def test_words_are_blotted_out_one_by_one():
    network = Network((4,), [Embedding(5, 2, 0), GlobalAvgPool(), Dense(2, bias=False)])
    parameters = parameters_of(network)
    look = Look.at(Subject(network, parameters), np.array([3, 1, 2, 0], np.int32))
    told = moved(look, "occlusion", answer=0)
    table, weight = parameters["embedding1.weight"], parameters["dense1.weight"][0]
    wanted = [table[word] @ weight / 4 for word in (3, 1, 2)] + [0]
    np.testing.assert_allclose(told["heat"], wanted, atol=1e-6)
    assert told.facts["where"] == "words"


def test_labels_and_answers_by_name_or_number():
    network = NETWORKS["picture"]
    subject = Subject(network, parameters_of(network), ("cat", "dog", "owl", "ant"))
    look = Look.at(subject, input_of(network))
    assert moved(look, "gradient", answer="dog").facts["answer_number"] == 1
    assert moved(look, "gradient", answer=2).facts["answer"] == "owl"
    with pytest.raises(UsageError, match="did you mean 'dog'"):
        moved(look, "gradient", answer="dogg")
    with pytest.raises(UsageError, match="0 to 3"):
        moved(look, "gradient", answer=7)


def test_patches_fit_the_sides():
    assert [usual_patch(n) for n in (1, 9, 19, 28, 40, 224)] == [1, 1, 1, 4, 5, 32]
