"""What the page computes in itself is what the engine computes, over the whole catalogue."""

from __future__ import annotations

import json

import numpy as np
import pytest

from beak.engine.make import make_engine
from beak.engine.reference import ReferenceEngine
from beak.network.layers import LAYERS
from beak.web.alone import computed, engine_script
from tests.lens import conftest as helpers
from tests.web.alone_networks import drawn
from tests.web.browser import CHROMIUM, chromium

pytest.importorskip("playwright.sync_api", reason="needs the extra dev")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")

NETWORKS = {**helpers.NETWORKS, **{f"drawn {seed}": drawn(seed) for seed in range(60)}}

ASKED = """cases => cases.map(({run, input, words, pull}) => {
  const net = new beakEngine.Engine(run).net;
  const given = words ? Int32Array.from(input) : Float32Array.from(input);
  const look = net.forward({input: given});
  const names = net.nodes.map(node => node.name);
  const slopes = net.backward(look, null, pull, ['input', ...names]);
  const plain = (map) => Object.fromEntries([...map].map(([k, v]) => [k, Array.from(v)]));
  return {values: plain(look.values), logits: Array.from(net.logits(look)), slopes: plain(slopes)};
})"""


@pytest.fixture(scope="module")
def told():
    """By network: what Chromium computed of it, and what the engine did."""
    cases, engines = [], {}
    for name, network in NETWORKS.items():
        parameters = helpers.parameters_of(network, 3)
        inputs = helpers.input_of(network, 4)
        engine = make_engine(network, parameters, threads=1)
        pull = np.random.default_rng(5).normal(size=(1, *network.output)).astype(np.float32)
        nodes = [node.name for node in network.nodes]
        # its slopes by the reference: float32 leaves noise where a norm's slopes cancel out
        back = ReferenceEngine(network, parameters).gradients(inputs[None], pull, at=nodes)
        engines[name] = (
            {key: value[0] for key, value in engine.activations(inputs[None]).items()},
            engine.logits(inputs[None])[0],
            {"input": back.input[0], **{key: value[0] for key, value in back.nodes.items()}},
        )
        given = {"input": inputs.ravel().tolist(), "pull": pull.ravel().tolist()}
        words = inputs.dtype.kind == "i"
        cases.append({"run": computed(network, parameters), "words": words, **given})
    with chromium() as browser:
        page = browser.new_page()
        page.evaluate(engine_script())
        found = page.evaluate(ASKED, json.loads(json.dumps(cases)))
    return dict(zip(NETWORKS, zip(found, engines.values(), strict=True), strict=True))


def assert_near(found, wanted, what, floor=1e-6):
    wanted = np.asarray(wanted, np.float64)
    scale = max(np.abs(wanted).max(initial=0), floor)
    away = np.abs(np.reshape(found, wanted.shape) - wanted).max(initial=0)
    assert away <= 1e-4 * scale, f"{what}: {away} of {scale}"


def test_every_kind_of_layer_is_among_the_networks():
    kinds = {node.layer.kind for network in NETWORKS.values() for node in network.nodes}
    assert kinds == set(LAYERS) - {"Opaque"}  # which only ONNX computes


@pytest.mark.parametrize("name", NETWORKS)
def test_every_number_and_every_slope_is_the_engines(told, name):
    found, (values, logits, slopes) = told[name]
    assert found["values"].keys() == values.keys()
    for node, wanted in values.items():
        assert_near(found["values"][node], wanted, node)
    assert_near(found["logits"], logits, "logits")
    assert slopes.keys() <= found["slopes"].keys()
    for node, wanted in slopes.items():
        assert_near(found["slopes"][node], wanted, f"slope by {node}", floor=1e-3)
