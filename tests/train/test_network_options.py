"""Options of a named network: in the recipe's text, by --set, and for auto."""

import numpy as np
import pytest

from beak.data.memory import load_arrays
from beak.errors import RecipeError, UsageError
from beak.network.named import make_network
from beak.train.prepare import choose, prepare
from beak.train.recipe import Recipe, parse_settings, read_values


def pictures(side=12, channels=1):
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 256, (60, channels, side, side), dtype=np.uint8)
    return load_arrays(inputs, np.arange(60) % 3)


def test_options_by_set_reach_the_network_and_stay_in_the_recipe():
    dataset = pictures()
    values = parse_settings(["network=allconv", "network.width=8"])
    ready = prepare(dataset, values)
    assert ready.network == make_network("allconv", (1, 12, 12), 3, width=8)
    assert ready.recipe.network == "allconv width=8"
    assert ready.name == "allconv"
    again = prepare(dataset, read_values(ready.recipe.to_toml(), "recipe.toml"))
    assert again.network == ready.network
    assert again.recipe == ready.recipe


def test_what_auto_chose_is_written_so_that_it_is_made_again():
    dataset = pictures(64, 3)
    network, text, why = choose("auto", dataset)
    assert text.startswith("resnet8 width=16 stem_stride=2 stages=4 dropout=0.2")
    assert why.startswith("resnet8: photographs")
    assert choose(text, dataset) == (network, text, "")
    narrow, text, _ = choose("auto", dataset, {"width": 8})
    assert "width=8" in text
    assert narrow.parameter_count < network.parameter_count


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ("allconv wdth=8", "unknown option 'wdth'; did you mean 'width'"),
        ("allconv 8", "'8' is not an option such as width=24"),
        ("alconv", "no network 'alconv'; did you mean 'allconv'"),
    ],
)
def test_a_wrong_option_is_answered(network, said):
    with pytest.raises((UsageError, RecipeError), match=said):
        choose(network, pictures())


def test_a_key_for_another_kind_of_input_is_refused():
    text = Recipe().to_toml()
    assert "fit = " in text  # the kind is not known yet
    with pytest.raises(RecipeError, match=r"kind = 'soundz': unknown|data.kind"):
        Recipe.from_toml('[data]\nkind = "soundz"\n')
