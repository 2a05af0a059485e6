"""JAX: the whole step in one jit, channels last, Adam written out, buffers donated."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from works import Work, batches_of

from beak.network import layers
from beak.network.initial import initial_parameters
from beak.network.network import Network, Node
from sides import CannotError, Settings

FUNCTIONS = {"relu": jax.nn.relu, "softmax": lambda x: jax.nn.softmax(x, axis=-1)}


def version() -> str:
    return f"JAX {jax.__version__}"


def forward(network: Network, parameters, x, key, train: bool):
    """Logits in training, else answers; channels last."""
    values = {"input": x}
    for i, node in enumerate(network.nodes):
        own = {name.rpartition(".")[2]: parameters[name] for name in node.parameters}
        x = _layer(node, own, [values[name] for name in node.inputs], train, key, i)
        function = getattr(node.layer, "activation", getattr(node.layer, "function", None))
        if function and not (train and node is network.nodes[-1] and function == "softmax"):
            if function not in FUNCTIONS:
                raise CannotError(f"{function} is not translated to JAX")
            x = FUNCTIONS[function](x)
        values[node.name] = x
    return x


def _layer(node: Node, own, read, train: bool, key, number: int):
    layer, x = node.layer, read[0]
    match layer:
        case layers.Conv2D() | layers.Conv1D():
            g = layer.geometry(node.input_shapes[0])
            letters = "NHWC" if layer.axes == 2 else "NWC"
            kernel = "HWIO" if layer.axes == 2 else "WIO"
            y = lax.conv_general_dilated(
                x, own["weight"], g.stride, g.padding,
                dimension_numbers=(letters, kernel, letters),
            )  # fmt: skip
            return y + own["bias"] if layer.bias else y
        case layers.MaxPool2D():
            g = layer.geometry(node.input_shapes[0])
            window, stride = (1, *g.kernel, 1), (1, *g.stride, 1)
            pads = ((0, 0), *g.padding, (0, 0))
            return lax.reduce_window(x, -jnp.inf, lax.max, window, stride, pads)
        case layers.GlobalMaxPool():
            return x.max(axis=tuple(range(1, x.ndim - 1)))
        case layers.GlobalAvgPool():
            return x.mean(axis=tuple(range(1, x.ndim - 1)))
        case layers.Flatten():
            return x.reshape(len(x), -1)
        case layers.Dense():
            return x @ own["weight"] + (own["bias"] if layer.bias else 0)
        case layers.BatchNorm():
            axes = tuple(range(x.ndim - 1))
            mean, var = own["running_mean"], own["running_var"]
            if train:
                mean, var = x.mean(axes), x.var(axes)
            return (x - mean) * lax.rsqrt(var + layer.epsilon) * own["weight"] + own["bias"]
        case layers.Dropout():
            if not train:
                return x
            kept = jax.random.bernoulli(jax.random.fold_in(key, number), 1 - layer.rate, x.shape)
            return jnp.where(kept, x / (1 - layer.rate), 0)
        case layers.Embedding():
            return own["weight"][x]
        case layers.PositionBias():
            return x + own["bias"][..., None]
        case layers.Add():
            return read[0] + read[1]
        case layers.Concat():
            return jnp.concatenate(read, axis=-1)
        case layers.Activation():
            return x
    raise CannotError(f"{layer.kind} is not translated to JAX")


def _turned(network: Network) -> dict:
    """beak's first weights, output channels last."""
    made = {}
    for name, value in initial_parameters(network, 0).items():
        embedding = isinstance(network.node(name.rpartition(".")[0]).layer, layers.Embedding)
        turn = value.ndim > 1 and name.endswith("weight") and not embedding
        if turn:
            value = np.moveaxis(value, (0, 1), (-1, -2))
        made[name] = jnp.asarray(np.ascontiguousarray(value))
    return made


def steps(work: Work, threads: int) -> Settings:
    network = work.network
    ready = [
        (jnp.asarray(np.moveaxis(x, 1, -1) if x.ndim > 2 else x), jnp.asarray(y))
        for x, y in batches_of(work)
    ]
    turn = itertools.cycle(ready)
    parameters = _turned(network)
    if work.purpose == "infer":
        run = jax.jit(lambda x: forward(network, parameters, x, None, False))
        return [("jit", lambda: run(next(turn)[0]).block_until_ready())]

    def loss(parameters, x, y, key):
        logs = jax.nn.log_softmax(forward(network, parameters, x, key, True))
        return -jnp.take_along_axis(logs, y[:, None], axis=1).mean()

    def update(state, x, y):
        parameters, first, second, count = state
        g = jax.grad(loss)(parameters, x, y, jax.random.fold_in(jax.random.key(0), count))
        count = count + 1
        tree = jax.tree.map
        first = tree(lambda m, g: 0.9 * m + 0.1 * g, first, g)
        second = tree(lambda v, g: 0.999 * v + 0.001 * g * g, second, g)
        rate = 1e-4 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        moved = tree(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-8), parameters, first, second)
        return moved, first, second, count

    run = jax.jit(update, donate_argnums=0)
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    state = [(parameters, zeros, jax.tree.map(jnp.zeros_like, parameters), jnp.zeros((), int))]

    def step():
        state[0] = run(state[0], *next(turn))
        jax.block_until_ready(state[0])

    return [("jit", step)]
