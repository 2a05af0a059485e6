"""From what the user said to what is trained: the examples, the network and the whole recipe."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beak.data.builtin import BUILTIN
from beak.data.dataset import Dataset
from beak.data.far import is_far
from beak.data.load import load_dataset
from beak.data.memory import load_arrays
from beak.data.text_spec import TextSpec
from beak.data.vectors import dimensions_of
from beak.errors import NetworkError, RecipeError, ShapeError, UsageError
from beak.network.auto import choose_network
from beak.network.named import make_network, options_of
from beak.network.network import Network
from beak.network.opaque import refuse_boxes
from beak.train.begin import SLOWER, as_for, begun_with, with_head
from beak.train.defaults import recipe_for
from beak.train.keys import keys_of, known_key
from beak.train.recipe import (
    OF_NETWORK,
    Recipe,
    network_text,
    parse_settings,
    read_file,
    read_network_text,
    value_at,
    with_values,
)
from beak.train.texts import check_named, check_own, unit_for


@dataclass(frozen=True)
class Prepared:
    """Everything that a training needs."""

    dataset: Dataset
    network: Network
    name: str
    """The network's name in the catalogue, or "own"."""
    why: str
    """Why this network; empty where the user named it."""
    recipe: Recipe


def gather(
    recipe: Recipe | str | Path | None,
    settings: Iterable[str] | Mapping[str, Any],
    direct: Mapping[str, Any],
) -> dict[str, Any]:
    """What the user gave, by dotted key: the recipe's file, then ``--set``, then own options.

    ``direct`` values that are None are not given.
    """
    values: dict[str, Any] = {}
    if isinstance(recipe, Recipe):
        values |= {name: value_at(recipe, name) for name in keys_of(Recipe)}
    elif recipe is not None:
        values |= read_file(recipe)
    if isinstance(settings, Mapping):
        values |= {
            name: v if name.startswith(OF_NETWORK) else known_key(Recipe, name).checked(v)
            for name, v in settings.items()
        }
    else:
        values |= parse_settings([settings] if isinstance(settings, str) else settings)
    for name, value in direct.items():
        if value is not None:
            values[name] = known_key(Recipe, name).checked(value)
    return values


def open_data(
    source: Any,
    values: Mapping[str, Any],
    network: Network | None = None,
    *,
    strict: bool = False,
    threads: int | None = None,
    progress: Callable[..., None] | None = None,
) -> Dataset:
    """The examples: a Dataset, a pair of arrays (X, y), or whatever ``load_dataset`` reads.

    A network that the user made fixes the pictures' size and channels where nothing else does.
    """
    if isinstance(source, Dataset):
        return source
    if source is not None and not isinstance(source, str | os.PathLike | tuple):
        raise UsageError(
            f"a {type(source).__name__} is no source; give a folder, a file, a built-in name, or "
            "arrays as (X, y)"
        )
    kind = values.get("data.kind", "auto")
    how = {"kind": kind, "strict": strict, **_data_options(values, network)}
    if isinstance(source, tuple) and len(source) == 2:
        return load_arrays(*source, **how)
    source = source or values.get("data.source")
    if not source:
        raise UsageError("nothing to train on: give a folder, a file or a built-in name as SOURCE")
    place = values.get("data.directory") or None
    return load_dataset(source, data_dir=place, threads=threads, progress=progress, **how)


def _data_options(values: Mapping[str, Any], network: Network | None) -> dict[str, Any]:
    """What the user wants of the inputs, as the data room takes it; unsaid keys are left out."""
    keys = keys_of(Recipe)
    options = {
        name.removeprefix("data."): value
        for name, value in values.items()
        if name in keys and keys[name].limits.get("kind") and name.startswith("data.")
        and value != keys[name].default
    }  # fmt: skip
    if "size" in options:
        options["size"] = _size(options["size"])
    if network is not None and len(network.input) == 3:
        options.setdefault("size", network.input[1:])
        options.setdefault("channels", network.input[0])
    return options


def _size(given: Sequence[int]) -> tuple[int, int] | None:
    """Height and width from a recipe's data.size; one number is a square, none: unsaid."""
    if len(given) > 2:
        raise RecipeError(f"data.size = {list(given)}: wanted [height, width] or []")
    return (given[0], given[-1]) if given else None


def data_values(source: Any, dataset: Dataset, values: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe's [data] keys that bring the same examples again, from any working directory."""
    said = values.get("data.source", "") if source is None else source
    found: dict[str, Any] = {"data.source": ""}
    if isinstance(said, str | Path) and str(said):
        path = Path(said)
        named = is_far(str(said)) or (str(said) in BUILTIN and not path.exists())
        found["data.source"] = str(said) if named else str(path.absolute())
    directory = values.get("data.directory", "")
    found["data.directory"] = str(Path(directory).absolute()) if directory else ""
    if values.get("data.vectors"):
        found["data.vectors"] = str(Path(values["data.vectors"]).absolute())
    return found | dataset.spec.recipe_values


def given_network(network: Network | str | Path | None) -> Network | str:
    """A network the user made (object, file or JSON), or a name of the catalogue or "auto"."""
    if isinstance(network, Network):
        return network
    text = str(network or "auto")
    if text.lstrip().startswith("{"):
        try:
            return Network.from_json(json.loads(text))
        except json.JSONDecodeError as error:
            raise NetworkError(f"the network is not JSON: {error}") from None
    if text.endswith(".json") or isinstance(network, Path):
        return Network.from_file(text)
    return text


def choose(
    network: Network | str, dataset: Dataset, options: Mapping[str, Any] | None = None
) -> tuple[Network, str, str]:
    """The network for this data, what the recipe calls it, and why it was chosen ("" if given).

    ``options``: fields of a network of the catalogue that the user wants.
    """
    if isinstance(network, Network):
        refuse_boxes(network.nodes, "it cannot be trained here; train it where it was made")
    spec, classes, options = dataset.spec, len(dataset.labels), options or {}
    if isinstance(network, Network):
        if options:
            raise UsageError(f"network.{next(iter(options))}: only a named network has options")
        _check_fit(network, dataset)
        return network, _as_text(network), ""
    name, said = read_network_text(network)
    said = {**said, **options}
    if name == "auto":
        examples = len(dataset.parts["train"])
        fixed = {**spec.network_options, **said}
        choice = choose_network(spec.shape, classes, examples, spec.kind, fixed)
        name, why = choice.name, f"{choice.name}: {choice.why}"
        said = {k: v for k, v in choice.options.items() if k not in spec.network_options} | said
    else:
        why = ""
    return named(name, dataset, said), network_text(name, said), why


def named(name: str, dataset: Dataset, options: Mapping[str, Any]) -> Network:
    """A network of the catalogue for this data."""
    known = options_of(name)
    if isinstance(dataset.spec, TextSpec):
        check_named(name, dataset.spec)
    fixed = {k: v for k, v in dataset.spec.network_options.items() if k in known}
    return make_network(name, dataset.spec.shape, len(dataset.labels), **{**fixed, **options})


def on(ready: Prepared, dataset: Dataset, recipe: Recipe) -> Prepared:
    """The same training on other parts of the data; a network that depends on what a spec learned
    from its training part, such as its words, is made for these.
    """
    network, text = ready.network, ready.recipe.network
    if dataset.spec.network_options != ready.dataset.spec.network_options and text[:1] != "{":
        name, options = read_network_text(text)
        network = named(name, dataset, options)
    return Prepared(dataset, network, ready.name, ready.why, recipe)


def _as_text(network: Network) -> str:
    return json.dumps(network.to_json(), separators=(",", ":"))


def name_of(text: str) -> str:
    """What to call the network of a recipe's text."""
    return "own" if text.startswith("{") else text.split()[0]


def _check_fit(network: Network, dataset: Dataset) -> None:
    shape, classes = dataset.spec.shape, len(dataset.labels)
    if network.input != shape:
        raise ShapeError(
            f"the network reads {network.input} but the examples are {shape}; set data.size and "
            "data.channels, or make the network for that input"
        )
    if isinstance(dataset.spec, TextSpec):
        check_own(network, dataset.spec)
    if network.output != (classes,):
        raise ShapeError(
            f"the network answers {network.output} but there are {classes} classes; end it in "
            f"Dense({classes}, activation='softmax')"
        )
    if not network.classifies:
        raise NetworkError(
            "the network does not end in softmax, so it gives no probabilities; end it in "
            f"Dense({classes}, activation='softmax')"
        )


def _begun(source: Any, values: Mapping[str, Any], network: Any, **how: Any) -> Prepared:
    """What is trained where it begins with another run's layers."""
    model = begun_with(values["start"])
    given = network if network is not None else values.get("network")
    dataset = as_for(model, open_data(source, {**model.spec.recipe_values, **values}, **how))
    made = with_head(model.network, len(dataset.labels))
    if given is not None and given_network(given) != made:
        raise UsageError("--from brings its own network; leave out --network")
    known = {k: v for k, v in values.items() if not k.startswith(OF_NETWORK)}
    known |= {**data_values(source, dataset, values), "network": _as_text(made)}
    known["start"] = str(Path(values["start"]).absolute())
    recipe = recipe_for(dataset, made, known)
    if "optimiser.learning_rate" not in values:
        rate = recipe.optimiser.learning_rate * SLOWER
        recipe = with_values(recipe, {"optimiser.learning_rate": rate})
    why = f"the layers of {model.name}, with a last layer for {len(dataset.labels)} labels"
    return Prepared(dataset, made, model.info.get("network") or "own", why, recipe)


def prepare(
    source: Any,
    values: Mapping[str, Any],
    network: Network | str | Path | None = None,
    *,
    strict: bool = False,
    threads: int | None = None,
    progress: Callable[..., None] | None = None,
) -> Prepared:
    """Examples, network and recipe from a source and the user's dotted keys."""
    if values.get("start"):
        return _begun(source, values, network, strict=strict, threads=threads, progress=progress)
    wanted = given_network(network if network is not None else values.get("network"))
    values = {**values, **unit_for(wanted, values)}
    dataset = open_data(
        source, values, wanted if isinstance(wanted, Network) else None,
        strict=strict, threads=threads, progress=progress,
    )  # fmt: skip
    options = {
        name.removeprefix(OF_NETWORK): value
        for name, value in values.items()
        if name.startswith(OF_NETWORK)
    }
    if values.get("data.vectors") and not isinstance(wanted, Network):
        options.setdefault("dimensions", dimensions_of(Path(values["data.vectors"])))
    made, text, why = choose(wanted, dataset, options)
    known = {k: v for k, v in values.items() if not k.startswith(OF_NETWORK)}
    known |= {**data_values(source, dataset, values), "network": text}
    return Prepared(dataset, made, name_of(text), why, recipe_for(dataset, made, known))
