"""Fine-tuning: a training that begins with another run's layers (``start``, ``--from RUN``).

The other run's network gets a last layer for the new labels, inputs are prepared as they were for
it, and training goes in two stages: first the last layer alone, on what the other layers, held
still, make of the training part; then everything, at a quarter of the usual learning rate.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from beak.data.dataset import Dataset
from beak.data.streams import shuffled
from beak.data.text_spec import TextSpec
from beak.engine.interface import Engine, Loss, Optimiser, Randomness
from beak.engine.make import make_engine
from beak.errors import NetworkError, UsageError
from beak.network.initial import initial_parameters
from beak.network.layers import Activation, Dense
from beak.network.network import Network
from beak.runs.model import Model, load_model
from beak.train.portions import class_weights
from beak.train.recipe import Recipe

Array = np.ndarray[Any, Any]
SLOWER = 0.25
"""The learning rate of the second stage, as a share of the usual one."""
HEAD_STEPS = 600
HEAD_BATCH = 64
HEAD_RATE = 0.01


def begun_with(path: str | Path) -> Model:
    """The run to begin with. UsageError for kinds whose network depends on their own examples."""
    model = load_model(path)
    if isinstance(model.spec, TextSpec):
        raise UsageError(
            f"--from {path}: its vocabulary is its own training part's; train on texts from scratch"
        )
    return model


def with_head(network: Network, classes: int) -> Network:
    """The same network with a last layer for so many labels, under a new name.

    NetworkError where it does not end in a Dense layer and softmax.

    >>> from beak.network.catalogue import make_network
    >>> made = with_head(make_network("lecture", (1, 28, 28), 10), 3)
    >>> made.output, made.nodes[-1].name
    ((3,), 'head')
    """
    head = head_of(network)
    data = network.to_json()
    names = {node["name"] for node in data["nodes"]}
    new = next(name for name in ("head", "head2", "head3") if name == head or name not in names)
    for node in data["nodes"]:
        if node["name"] == head:
            node["name"], node["units"] = new, classes
        node["inputs"] = [new if name == head else name for name in node.get("inputs", [])] or None
        if node["inputs"] is None:
            del node["inputs"]
    return Network.from_json(data)


def head_of(network: Network) -> str:
    """The name of the last Dense layer, behind which only a softmax may come."""
    last = network.nodes[-1]
    if isinstance(last.layer, Activation) and last.layer.function == "softmax":
        last = network.node(last.inputs[0]) if last.inputs != ("input",) else last
    if not isinstance(last.layer, Dense) or not network.classifies:
        raise NetworkError(
            "the run to begin with does not end in a Dense layer and softmax, so that no last "
            "layer can be put in its place"
        )
    return last.name


def as_for(model: Model, dataset: Dataset) -> Dataset:
    """The examples, prepared as those were that the run was trained on."""
    if dataset.spec.kind != model.spec.kind or dataset.spec.shape != model.spec.shape:
        raise UsageError(
            f"{model.name} reads {model.spec.kind} of {model.spec.shape}, the examples are "
            f"{dataset.spec.kind} of {dataset.spec.shape}"
        )
    return dataclasses.replace(dataset, spec=model.spec)


def first_stage(
    network: Network, dataset: Dataset, recipe: Recipe, threads: int | None = None
) -> tuple[dict[str, Array], list[str]]:
    """The parameters that the second stage begins with, and what to say about them."""
    model, head = begun_with(recipe.start), head_of(network)
    made = initial_parameters(network, recipe.seed)
    body = {name: value for name, value in model.parameters.items() if name in made}
    own = {f"{head}.weight", f"{head}.bias"} & made.keys()
    if set(made) - own != set(body) - own:
        raise UsageError(f"--from {recipe.start}: it is another network than the recipe's")
    made |= {name: value for name, value in body.items() if name not in own}
    features = _features(network, head, made, dataset, threads)
    weights, right = _train_head(network, head, made, features, dataset, recipe)
    return {**made, **weights}, [
        f"begins with the layers of {model.name}; its new last layer alone, the others held still, "
        f"has {100 * right:.1f} % of the training part right"
    ]


def _features(
    network: Network,
    head: str,
    parameters: Mapping[str, Array],
    dataset: Dataset,
    threads: int | None,
) -> Array:
    """What the layers before the head make of each training example: (N, n)."""
    reads = network.node(head).inputs[0]
    part, spec = dataset.parts["train"], dataset.spec
    if reads == "input":
        return spec.prepare(np.asarray(part.inputs[:])).reshape(len(part.labels), -1)
    data = network.to_json()
    last = [node["name"] for node in data["nodes"]].index(reads)
    body = Network.from_json({**data, "nodes": data["nodes"][: last + 1]})
    own = {name: parameters[name] for name in body.parameters}
    engine = make_engine(body, own, threads=threads)
    found = [
        engine.forward(spec.prepare(np.asarray(part.inputs[begin : begin + 256])))
        for begin in range(0, len(part.labels), 256)
    ]
    return np.concatenate(found)


def _train_head(
    network: Network,
    head: str,
    parameters: Mapping[str, Array],
    features: Array,
    dataset: Dataset,
    recipe: Recipe,
) -> tuple[dict[str, Array], float]:
    """The head's weights after its own short training, and the share that it has right."""
    layer = network.node(head).layer
    assert isinstance(layer, Dense)
    only = dataclasses.replace(layer, name=head, inputs=None, activation="softmax")
    small = Network((features.shape[1],), [only])
    scale = np.maximum(features.std(), 1e-6)
    engine = make_engine(small, {name: parameters[name] for name in small.parameters}, threads=1)
    labels = np.asarray(dataset.parts["train"].labels, np.int32)
    loss = Loss(recipe.loss.label_smoothing, class_weights(dataset, recipe))
    engine.start_training(Optimiser("adamw", weight_decay=0.01), loss)
    inputs = (features / scale).astype(np.float32)
    for step, chosen in enumerate(_batches(len(labels), recipe.seed)):
        rate = HEAD_RATE * (1 - step / HEAD_STEPS)
        random = Randomness(recipe.seed, 0, chosen)
        engine.train_step(inputs[chosen], labels[chosen], rate, random)
    found = engine.parameters()
    right = _share_right(engine, inputs, labels)
    found[f"{head}.weight"] = found[f"{head}.weight"] / np.float32(scale)
    return found, right


def _batches(examples: int, seed: int) -> list[Array]:
    """The examples of each step: shuffled again whenever all have been seen."""
    size = min(HEAD_BATCH, examples)
    each = examples // size
    epochs = range(-(-HEAD_STEPS // each))
    orders = [shuffled(seed, epoch, examples) for epoch in epochs]
    found = [order[k * size : (k + 1) * size] for order in orders for k in range(each)]
    return found[:HEAD_STEPS]


def _share_right(engine: Engine, inputs: Array, labels: Array) -> float:
    return float((engine.logits(inputs).argmax(1) == labels).mean())


def as_text(network: Network) -> str:
    """The network as a recipe holds it."""
    return json.dumps(network.to_json(), separators=(",", ":"))
