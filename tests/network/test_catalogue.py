"""The catalogue's networks against counts by hand, and the choice of one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.errors import NetworkError, ShapeError, UsageError
from beak.network.auto import BUDGET, BUDGET_OF_FEW
from beak.network.catalogue import CATALOGUE, choose_network, make_network
from beak.network.network import Network

NAMES = {
    "lecture",
    "lecture-linear",
    "dense",
    "linear",
    "lenet5",
    "allconv",
    "resnet8",
    "resnet20",
    "keyword",
    "cnn-trad-fpool3",
    "cnn-one-fpool3",
    "cnn-one-fstride4",
    "spectrogram-frequency",
    "sentence",
    "sentence-wide",
    "sentence-pairs",
    "characters",
    "alphago-policy",
    "go-small",
    "go-dense",
}


def test_the_catalogue_holds_what_the_docs_name():
    assert set(CATALOGUE) == NAMES
    assert all(entry.name == name and entry.description for name, entry in CATALOGUE.items())


def test_lecture_linear_has_no_activation_after_its_convolutions():
    relu, linear = (make_network(n, (1, 28, 28), 10) for n in ("lecture", "lecture-linear"))
    assert [n.node("conv1").layer.activation for n in (relu, linear)] == ["relu", None]
    assert relu.parameter_count == linear.parameter_count == 137_660
    assert linear.node("dense1").layer.activation == "relu"


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 32, 32)])
def test_lenet5_has_61706_parameters(shape):
    network = make_network("lenet5", shape, 10)
    counts = [node.parameter_count for node in network.nodes if node.parameter_count]
    assert counts == [156, 2_416, 48_120, 10_164, 850]
    assert network.parameter_count == 61_706


def test_sentence_has_the_parameters_of_kims_network():
    network = make_network("sentence", (56,), 2, words=18_766)
    counts = {node.name: node.parameter_count for node in network.nodes if node.parameter_count}
    assert counts.pop("words") == 18_766 * 300
    assert counts.pop("dense1") == 602
    assert sum(counts.values()) == 360_300


def test_a_network_for_texts_refuses_pictures_and_the_other_way_round():
    with pytest.raises(ShapeError, match=r"'sentence' reads texts: word numbers \(length,\)"):
        make_network("sentence", (1, 28, 28), 2)
    with pytest.raises(ShapeError, match=r"'lecture' reads pictures .* not \(60,\)"):
        make_network("lecture", (60,), 2)


def test_allconv_is_all_cnn_c_with_its_1369738_parameters():
    network = make_network("allconv", (3, 32, 32), 10)
    small, large = 96 * 96 * 9 + 96, 192 * 192 * 9 + 192
    by_hand = (
        (96 * 27 + 96)
        + 2 * small
        + (96 * 192 * 9 + 192)
        + 3 * large
        + (192 * 192 + 192)
        + (1920 + 10)
    )
    assert network.parameter_count == by_hand == 1_369_738
    assert not any("Max" in node.layer.kind for node in network.nodes)


def by_hand(blocks):
    """Residual network of He et al.: 16, 32, 64 filters, 1x1 shortcuts, BatchNorm after each."""

    def conv(inputs, filters, kernel):
        return filters * inputs * kernel**2 + 2 * filters

    total, before = conv(3, 16, 3), 16
    for filters in (16, 32, 64):
        for _ in range(blocks):
            total += conv(before, filters, 3) + conv(filters, filters, 3)
            total += conv(before, filters, 1) if filters != before else 0
            before = filters
    return total + 64 * 10 + 10


@pytest.mark.parametrize(
    ("name", "blocks", "count"), [("resnet8", 1, 78_042), ("resnet20", 3, 272_474)]
)
def test_resnets_have_as_many_parameters_as_by_hand(name, blocks, count):
    network = make_network(name, (3, 32, 32), 10)
    assert network.parameter_count == by_hand(blocks) == count
    weighted = [n for n in network.nodes if n.layer.kind in ("Conv2D", "Dense")]
    assert len([n for n in weighted if "shortcut" not in n.name]) == int(
        name.removeprefix("resnet")
    )


def test_resnet20_is_he_et_als_269722_but_for_its_two_projections():
    projections = (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)
    assert make_network("resnet20", (3, 32, 32), 10).parameter_count == 269_722 + projections


def test_resnet_options_make_large_pictures_small_before_the_first_stage():
    options = {"stem_stride": 2, "stem_pool": True, "width": 8, "stages": 4, "dropout": 0.2}
    network = make_network("resnet8", (3, 96, 96), 2, **options)
    assert network.node("res1.add").output == (8, 24, 24)
    assert network.node("res4.add").output == (64, 3, 3)
    assert network.node("dropout1").layer.rate == 0.2


@given(
    name=st.sampled_from(sorted(n for n in NAMES if not CATALOGUE[n].words)),
    channels=st.integers(1, 5),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    classes=st.integers(2, 30),
)
@settings(deadline=None)
def test_every_network_takes_every_picture_of_its_least_size(
    name, channels, height, width, classes
):
    least = CATALOGUE[name].least
    if name in ("alphago-policy", "go-small"):  # an answer for each point
        classes = height * width + (name == "go-small" and channels > 2)
    if min(height, width) < least:
        with pytest.raises(ShapeError, match=f"at least {least}x{least}"):
            make_network(name, (channels, height, width), classes)
        return
    network = make_network(name, (channels, height, width), classes)
    assert network.output == (classes,)
    assert network.classifies


@given(
    name=st.sampled_from(sorted(n for n in NAMES if CATALOGUE[n].words)),
    length=st.integers(1, 70),
    classes=st.integers(2, 30),
)
@settings(deadline=None)
def test_every_network_for_texts_takes_every_length(name, length, classes):
    network = make_network(name, (3 * length,), classes)
    assert network.output == (classes,)
    assert network.classifies


@pytest.mark.parametrize("name", ["lecture", "lenet5"])
def test_the_least_size_is_the_least(name):
    least = CATALOGUE[name].least
    with pytest.raises(ShapeError):
        CATALOGUE[name].make((1, least - 1, least - 1), 10)
    assert CATALOGUE[name].make((1, least, least), 10).output == (10,)


@given(
    like=st.sampled_from(["lecture", "lenet5", "resnet20", "allconv"]),
    channels=st.integers(1, 3),
    size=st.integers(12, 40),
    classes=st.integers(2, 20),
)
@settings(deadline=None, max_examples=40)
def test_dense_has_as_many_parameters_as_the_given_network(like, channels, size, classes):
    other = make_network(like, (channels, size, size), classes)
    dense = make_network("dense", (channels, size, size), classes, like=other)
    one_more_unit = channels * size**2 + 1 + classes
    assert abs(dense.parameter_count - other.parameter_count) <= one_more_unit / 2


def test_dense_beside_lecture():
    lecture = make_network("lecture", (1, 28, 28), 10)
    dense = make_network("dense", (1, 28, 28), 10, like=lecture)
    assert dense.node("dense1").layer.units == 173
    assert dense.parameter_count == 137_545


def test_slips_of_the_pen_are_told():
    with pytest.raises(UsageError, match="did you mean 'lecture'"):
        make_network("lectur", (1, 28, 28), 10)
    with pytest.raises(UsageError, match="unknown option 'widht'; did you mean 'width'"):
        make_network("resnet8", (3, 32, 32), 10, widht=32)
    with pytest.raises(UsageError, match="it takes none"):
        make_network("lecture", (3, 32, 32), 10, width=32)
    with pytest.raises(NetworkError, match="classes=1"):
        make_network("lecture", (1, 28, 28), 1)
    with pytest.raises(ShapeError, match="'dense' and 'linear' take any shape"):
        make_network("lecture", (40, 101), 10)


@pytest.mark.parametrize(
    ("shape", "examples", "name"),
    [
        ((1, 28, 28), 60_000, "lecture"),
        ((1, 28, 28), 1_438, "lecture"),
        ((1, 8, 8), 1_438, "resnet8"),
        ((3, 32, 32), 50_000, "resnet20"),
        ((3, 32, 32), 1_000, "resnet8"),
        ((3, 64, 64), 1_100, "resnet8"),
        ((3, 128, 96), 2_000, "resnet8"),
        ((1, 1, 1), 100, "dense"),
        ((1, 1, 500), 100, "dense"),
        ((13,), 100, "dense"),
        ((40, 101), 100, "dense"),
    ],
)
def test_the_choice_follows_from_the_picture_and_the_examples(shape, examples, name):
    choice = choose_network(shape, 5, examples)
    assert choice.name == name
    assert "\n" not in choice.why


@pytest.mark.parametrize("size", [64, 80, 96, 112, 128, 160, 192, 224])
def test_networks_for_photographs_stay_within_the_budget(size):
    few, many = (choose_network((3, size, size), 2, n) for n in (1_100, 8_000))
    assert few.network.multiply_adds <= (BUDGET_OF_FEW if size < 160 else BUDGET)
    assert 30_000_000 <= many.network.multiply_adds <= BUDGET
    assert few.network.parameter_count <= many.network.parameter_count
    assert "photographs" in few.why
    assert "photographs" in many.why


@given(
    shape=st.one_of(
        st.tuples(st.integers(1, 60), st.integers(1, 150), st.integers(1, 150)),
        st.tuples(st.integers(1, 50), st.integers(1, 50)),
        st.tuples(st.integers(1, 50)),
    ),
    classes=st.integers(2, 200),
    examples=st.integers(2, 10**6),
)
@settings(deadline=None, max_examples=60)
def test_any_input_gets_a_network_that_can_be_made_again(shape, classes, examples):
    if len(shape) == 3 and shape[2] in (1, 3) and shape[0] == shape[1] >= 16:
        return  # channels last: refused
    choice = choose_network(shape, classes, examples)
    assert make_network(choice.name, shape, classes, **choice.options) == choice.network
    assert Network.from_json(choice.network.to_json()) == choice.network
    assert choice.network.output == (classes,)
