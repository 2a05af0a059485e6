"""Networks for Go: AlphaGo's counts, the small one and its pass, the fully connected one."""

import numpy as np
import pytest

from beak.engine.interface import Loss, Optimiser, Randomness
from beak.engine.make import make_engine
from beak.errors import ShapeError
from beak.network.auto import choose_network
from beak.network.catalogue import make_network

INPUT = (48, 19, 19)


@pytest.mark.parametrize(
    ("filters", "parameters"), [(128, 1_777_641), (192, 3_882_793), (256, 6_798_953)]
)
def test_alphago_policy_has_the_papers_parameters(filters, parameters):
    network = make_network("alphago-policy", INPUT, 361, filters=filters)
    by_hand = 48 * 25 * filters + 11 * 9 * filters**2 + filters + 12 * filters + 361
    assert network.parameter_count == parameters == by_hand


def test_alphago_policy_costs_1_4007_g_multiply_adds_and_sees_27_lines():
    network = make_network("alphago-policy", INPUT, 361)
    assert round(network.multiply_adds / 1e9, 4) == 1.4007
    convolutions = [n for n in network.nodes if n.layer.kind == "Conv2D"]
    assert [n.layer.kernel for n in convolutions] in (
        [5] + [3] * 11 + [1], [(5, 5)] + [(3, 3)] * 11 + [(1, 1)]
    )  # fmt: skip
    assert convolutions[0].output == (192, 19, 19)
    assert not any("Pool" in n.layer.kind for n in network.nodes)
    assert network.parameters["position_bias1.bias"].shape == (19, 19)


def test_alphago_policy_knows_no_pass():
    with pytest.raises(ShapeError, match="it knows no pass"):
        make_network("alphago-policy", INPUT, 362)


@pytest.mark.parametrize("classes", [361, 362])
def test_go_small_stays_below_a_million_parameters_and_may_pass(classes):
    network = make_network("go-small", INPUT, classes)
    assert network.parameter_count <= 1_000_000
    assert network.output == (classes,)
    assert network.classifies
    with pytest.raises(ShapeError, match="361 points, or 362 with the pass, not 10"):
        make_network("go-small", INPUT, 10)
    with pytest.raises(ShapeError, match="make width or blocks smaller"):
        make_network("go-small", INPUT, classes, width=128, blocks=6)


@pytest.mark.parametrize("like", ["go-small", "alphago-policy"])
def test_go_dense_has_as_many_parameters_as_another(like):
    other = make_network(like, INPUT, 361)
    dense = make_network("go-dense", INPUT, 361, like=other)
    assert abs(dense.parameter_count / other.parameter_count - 1) < 0.05
    assert not any("Conv" in n.layer.kind for n in dense.nodes)


@pytest.mark.parametrize(
    ("name", "classes", "options"),
    [
        ("alphago-policy", 361, {"filters": 8}),
        ("go-small", 361, {"width": 8, "blocks": 1}),
        ("go-small", 362, {"width": 8, "blocks": 1}),
        ("go-dense", 362, {"hidden": 4}),
    ],
)
def test_every_network_for_go_learns_a_move_by_heart(name, classes, options):
    network = make_network(name, (4, 19, 19), classes, **options)
    engine = make_engine(network, seed=1, threads=2)
    engine.start_training(Optimiser(kind="adamw"), Loss())
    generator = np.random.default_rng(0)
    planes = generator.integers(0, 2, (8, 4, 19, 19)).astype(np.float32)
    moves = np.array([0, 5, 18, 100, 200, 300, 360, classes - 1], np.int32)
    for step in range(60):
        engine.train_step(planes, moves, 0.01, Randomness(0, step, np.arange(8)))
    assert (engine.logits(planes).argmax(axis=1) == moves).mean() >= 0.75


def test_auto_takes_go_small_and_a_smaller_one_for_few_positions():
    many, few = (choose_network(INPUT, 361, n, "go") for n in (1_000_000, 5_000))
    assert many.name == few.name == "go-small"
    assert few.network.parameter_count < many.network.parameter_count
    assert "positions of Go" in many.why
