from __future__ import annotations

import contextlib
import dataclasses
import math
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beak.errors import RecipeError, UsageError
from beak.train.keys import keys_of
from beak.train.recipe import (
    LossRecipe,
    OptimiserRecipe,
    Recipe,
    parse_settings,
    read_file,
    read_values,
    set_value,
    with_values,
)
from beak.train.toml import key_lines, read_toml, write_toml

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), FLOATS, st.text(), st.lists(FLOATS)
)
KEYS = st.text(min_size=1, max_size=8)


@given(
    plain=st.dictionaries(KEYS, VALUES), tables=st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES))
)
def test_written_toml_reads_back_equal_to_the_bit(plain, tables):
    content = {**plain, **tables}
    back = tomllib.loads(write_toml(content))
    assert back == content
    for key, value in plain.items():
        if key not in tables:
            assert type(back[key]) is type(value)
        if isinstance(value, float) and key not in tables:
            assert math.copysign(1, back[key]) == math.copysign(1, value)


def within(key):
    """A strategy for the values that a key may have."""
    low, high, below = (key.limits.get(name) for name in ("low", "high", "below"))
    if key.limits.get("choices"):
        return st.sampled_from(key.limits["choices"])
    if key.type is bool:
        return st.booleans()
    if key.type is str:
        return st.text()
    if key.type is int:
        return st.integers(int(low or 0), int(high) if high is not None else 2**40)
    top = high if high is not None else (below if below is not None else 1e9)
    return st.floats(low or 0, top, exclude_max=below is not None)


OWN = {k: v for k, v in keys_of(Recipe).items() if not k.startswith("augmentation.")}
SIMPLE = {k: v for k, v in OWN.items() if v.type in (int, float, bool, str) and k != "folds"}


@given(st.fixed_dictionaries({}, optional={name: within(key) for name, key in SIMPLE.items()}))
def test_any_recipe_comes_back_equal_from_its_toml(values):
    kind = values.get("data.kind", "auto")
    values = {name: value for name, value in values.items() if SIMPLE[name].concerns(kind)}
    recipe = with_values(Recipe(), values)
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert Recipe.from_toml(recipe.to_toml(comments=False)) == recipe


def test_lists_come_back_as_tuples():
    recipe = with_values(Recipe(), {"data.size": [32, 48], "loss.class_weights": [1, 2.5]})
    assert recipe.data.size == (32, 48)
    assert recipe.loss.class_weights == (1.0, 2.5)
    assert Recipe.from_toml(recipe.to_toml()) == recipe


def test_every_key_is_written_with_a_line_about_it():
    text = Recipe().to_toml()
    assert set(read_values(text, "r")) == set(keys_of(Recipe))
    for name, key in OWN.items():
        assert key.limits["about"], name
        assert key.limits["about"] in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epoch = 3", "r.toml line 1: unknown key 'epoch'; did you mean 'epochs'?"),
        ("\n\nlearning_rate = 1", "line 3: unknown key 'learning_rate'; did you mean "
         "'optimiser.learning_rate'?"),
        ("[optimiser]\n# fast\nlearning_rat = 1", "line 3: unknown key 'optimiser.learning_rat'; "
         "did you mean 'optimiser.learning_rate'?"),
        ("[optimizer]\nkind = 'sgd'", "line 2: unknown key 'optimizer.kind'; did you mean "
         "'optimiser.kind'?"),
        ("[loss]\nfocal = 1", "line 2: unknown key 'loss.focal'; known in [loss]: label_smoothing, "
         "balance, class_weights"),
        ("optimiser = 3", "line 1: optimiser is a table of keys: write optimiser.<key>; known in "
         "[optimiser]: kind, learning_rate"),
        ("seed = 1\nepochs = 'ten'", "line 2: epochs = 'ten': wanted a whole number"),
        ("epochs = 2.5", "line 1: epochs = 2.5: wanted a whole number"),
        ("epochs = true", "line 1: epochs = True: wanted a whole number"),
        ("epochs = 0", "line 1: epochs = 0: wanted at least 1"),
        ("average = 1.0", "line 1: average = 1.0: wanted at least 0 and below 1"),
        ("[optimiser]\nlearning_rate = nan", "line 2: optimiser.learning_rate = nan: wanted a "
         "finite number"),
        ("[optimiser]\nkind = 'adamv'", "line 2: optimiser.kind = 'adamv': unknown; did you mean "
         "'adam'?"),
        ("[data]\nsize = [28, 'x']", "line 2: data.size = [28, 'x']: wanted a list of "
         "whole numbers"),
        ("[[loss]]\nbalance = true", "line 1: loss is a table of keys"),
        ("a = 'x", "r.toml line 1: expected"),
        ("epochs = 3\nepochs = 4", "r.toml line 2: cannot overwrite a value"),
        ("[data]\nnote = '''\nepochs = 1\n'''", "line 2: unknown key 'data.note'"),
        ("data.size = [28]", "data.size = [28]: wanted [height, width] or []"),
        ("folds = 1", "folds = 1: wanted 0 (off) or at least 2"),
    ],
)  # fmt: skip
def test_a_slip_in_a_recipe_is_told_with_its_line(text, said):
    with pytest.raises(RecipeError) as caught:
        Recipe.from_toml(text, "r.toml")
    assert said in str(caught.value)
    assert str(caught.value).startswith("r.toml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("epochs=12", 12),
        ("optimiser.learning_rate=1e-2", 0.01),
        ("optimiser.nesterov=off", False),
        ("data.size=28x28", None),
        ("data.size=[28, 30]", (28, 30)),
        ("data.size=", ()),
        ("compare=dense", "dense"),
        ("network=a=b", "a=b"),
        ("loss.class_weights=1,2.5", (1.0, 2.5)),
        ("epochs=1.5", None),
        ("baseline=maybe", None),
        ("epochs", None),
        ("epoch=3", None),
    ],
)
def test_set_reads_a_word_by_the_type_of_its_key(word, value):
    if value is None:
        with pytest.raises(RecipeError):
            parse_settings([word])
    else:
        name = word.partition("=")[0]
        assert parse_settings([word]) == {name: value}
        assert type(parse_settings([word])[name]) is type(value)


def test_set_value_leaves_the_rest_alone():
    recipe = set_value(Recipe(), "optimiser.learning_rate", "0.5")
    assert recipe == dataclasses.replace(Recipe(), optimiser=OptimiserRecipe(learning_rate=0.5))


def test_a_recipe_made_in_python_is_checked_too():
    with pytest.raises(RecipeError, match="epochs = 0: wanted at least 1"):
        Recipe(epochs=0)
    with pytest.raises(RecipeError, match="leave one out"):
        Recipe(loss=LossRecipe(balance=True, class_weights=(1.0, 2.0)))


def test_numbers_of_numpy_are_taken_as_numbers():
    values = {"epochs": np.int64(3), "average": np.float64(0.5), "optimiser.epsilon": 1}
    recipe = with_values(Recipe(), values)
    assert (recipe.epochs, recipe.average, recipe.optimiser.epsilon) == (3, 0.5, 1.0)
    assert type(recipe.epochs) is int
    assert type(recipe.average) is float
    with pytest.raises(RecipeError, match="wanted a whole number"):
        with_values(Recipe(), {"epochs": True})


def test_a_recipe_file_that_is_not_there_is_a_wrong_call(tmp_path):
    with pytest.raises(UsageError, match="no such recipe file"):
        read_file(tmp_path / "none.toml")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(RecipeError, match=r"as a recipe: not a text in UTF-8$"):
        read_file(tmp_path / "picture.png")
    with pytest.raises(RecipeError, match=r"as a recipe: is a directory$"):
        read_file(tmp_path)


def test_lines_of_dotted_quoted_and_inline_keys():
    text = '"epochs" = 1\nloss.balance = true\noptimiser = {kind = "sgd"}\n[ data ]\n'
    text += "size = [\n1,\n2]\n"
    assert key_lines(text) == {
        "epochs": 1, "loss.balance": 2, "optimiser": 3, "data": 4, "data.size": 5,
    }  # fmt: skip
    flat, lines = read_toml(text, "r")
    assert lines["optimiser.kind"] == 3
    assert flat["data.size"] == [1, 2]


def test_the_engine_sees_zero_as_off():
    optimiser = Recipe().engine_optimiser()
    assert optimiser.clip_norm is None
    assert optimiser.average is None
    assert with_values(Recipe(), {"average": 0.9}).engine_optimiser().average == 0.9
    assert Recipe().engine_loss().class_weights is None
    assert Recipe().engine_loss((1.0, 3.0)).class_weights == (1.0, 3.0)


@given(st.text(max_size=200))
def test_no_text_does_anything_but_raise_a_recipe_error(text):
    with contextlib.suppress(RecipeError):
        assert Recipe.from_toml(text, "r.toml") == Recipe()


def test_the_page_lists_every_key_and_no_other():
    page = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
    table = page.partition("## Every key")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([a-z_0-9.]+)`", table, re.M) == list(keys_of(Recipe))
