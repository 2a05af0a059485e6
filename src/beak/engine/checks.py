"""What every engine refuses in the same words: arrays that do not fit the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from beak.errors import ShapeError, did_you_mean
from beak.network.layers import Embedding
from beak.network.network import Network

Array = np.ndarray[Any, Any]


def reads_words(network: Network) -> bool:
    """Whether the network's input is word numbers: it starts with an Embedding."""
    return any(isinstance(node.layer, Embedding) for node in network.nodes)


def check_inputs(network: Network, inputs: Array) -> None:
    """Raise ShapeError unless the inputs are (B, *network.input), whole numbers for words."""
    if np.ndim(inputs) != len(network.input) + 1 or np.shape(inputs)[1:] != network.input:
        raise ShapeError(
            f"inputs of shape {np.shape(inputs)} came, (examples, "
            f"{', '.join(map(str, network.input))}) was wanted; one example alone is x[None]"
        )
    if reads_words(network) and not np.issubdtype(np.asarray(inputs).dtype, np.integer):
        raise ShapeError(
            f"inputs of {np.asarray(inputs).dtype} came, whole word numbers were wanted; "
            "convert them with inputs.astype('int32')"
        )


def check_labels(network: Network, labels: Array, examples: int) -> None:
    """Raise ShapeError unless there is a class of the answers for each of one example or more."""
    if len(network.output) != 1:
        raise ShapeError(
            f"the network answers with {network.output}, a class for each example wants "
            "(classes,); end it in Flatten or GlobalAvgPool and Dense"
        )
    labels = np.asarray(labels)
    if labels.shape != (examples,) or not np.issubdtype(labels.dtype, np.integer):
        raise ShapeError(
            f"labels {labels.dtype}{labels.shape} came for {examples} examples; "
            f"int32 ({examples},) was wanted"
        )
    check_not_empty(examples)
    least, most, classes = labels.min(), labels.max(), network.output[0]
    if least < 0 or most >= classes:
        raise ShapeError(f"labels from {least} to {most} came, 0 to {classes - 1} was wanted")


def check_not_empty(examples: int) -> None:
    """Raise ShapeError for a batch of no examples, of which nothing can be learnt."""
    if not examples:
        raise ShapeError("a batch of no examples came; at least one was wanted")


def check_output_gradient(gradient: Array, examples: int, output: tuple[int, ...]) -> None:
    """Raise ShapeError unless the gradient has the shape of the outputs of >= 1 examples."""
    check_not_empty(examples)
    if np.shape(gradient) != (examples, *output):
        raise ShapeError(
            f"an output gradient of shape {np.shape(gradient)} came, "
            f"{(examples, *output)} was wanted"
        )


def check_parameters(network: Network, parameters: Mapping[str, Array]) -> None:
    """Raise ShapeError unless exactly the network's parameters came, in its shapes."""
    check_names("parameter", parameters, network.parameters)
    for name, wanted in network.parameters.items():
        if np.shape(parameters[name]) != wanted.shape:
            raise ShapeError(
                f"parameter '{name}' has shape {np.shape(parameters[name])}, {wanted.shape} was "
                "wanted; these parameters belong to another network"
            )


def check_names(what: str, given: Iterable[str], wanted: Iterable[str]) -> None:
    """Raise ShapeError with the first name that is missing or not known."""
    given, wanted = list(given), list(wanted)
    for name in given:
        if name not in wanted:
            raise ShapeError(f"unknown {what} '{name}'{did_you_mean(name, wanted)}")
    for name in wanted:
        if name not in given:
            raise ShapeError(f"{what} '{name}' is missing; all {len(wanted)} must be given")
