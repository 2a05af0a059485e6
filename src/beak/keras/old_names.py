"""Keras 1's spelling, as the lecture writes it: taken, with a note of what it is called today."""

from __future__ import annotations

from typing import Any

from beak.keras import config

FIELDS = {
    "output_dim": "units",
    "nb_filter": "filters",
    "nb_row": "kernel_size",
    "filter_length": "kernel_size",
    "border_mode": "padding",
    "subsample": "strides",
    "subsample_length": "strides",
    "pool_length": "pool_size",
    "stride": "strides",
    "init": "kernel_initializer",
    "bias": "use_bias",
    "W_regularizer": "kernel_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "dim_ordering": "data_format",
    "p": "rate",
    "alpha": "negative_slope",
}
"""Of layers: the old name and today's."""
EMBEDDINGS = {"init": "embeddings_initializer"}
ORDERINGS = {"th": "channels_first", "tf": "channels_last"}
LAYERS_WITH_OUTPUT_DIM = ("Embedding",)


def modern(
    kind: str, values: tuple[Any, ...], fields: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The values and fields of a layer as Keras writes them today."""
    if kind == "Convolution2D":
        values, fields = _rows_and_columns(values, fields)
    made = {}
    for name, value in fields.items():
        if name not in FIELDS or (name == "output_dim" and kind in LAYERS_WITH_OUTPUT_DIM):
            made[name] = value
            continue
        today = FIELDS[name]
        if name == "dim_ordering":
            value = ORDERINGS.get(value, value)
        config.note(f"{kind}: {name} is called {today} today")
        made[today] = value
    return values, made


def _rows_and_columns(
    values: tuple[Any, ...], fields: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Convolution2D(25, 3, 3): 25 filters of 3 rows and 3 columns."""
    fields = dict(fields)
    size = None
    if len(values) >= 3 and all(isinstance(v, int) for v in values[:3]):
        size, values = (values[1], values[2]), (values[0], *values[3:])
    elif "nb_row" in fields and "nb_col" in fields:
        size = (fields.pop("nb_row"), fields.pop("nb_col"))
    if size is None:
        return values, fields
    fields["kernel_size"] = size
    config.note(
        f"Convolution2D({values[0] if values else '…'}, {size[0]}, {size[1]}) is called "
        f"Conv2D({values[0] if values else '…'}, {size}) today"
    )
    shape = fields.get("input_shape")
    first = shape is not None and len(shape) == 3 and shape[0] <= 4 < min(shape[1:])
    if shape and first and "data_format" not in fields and "dim_ordering" not in fields:
        config.note(
            f"input_shape={tuple(shape)} has its channels first, as Keras 1 on Theano had them, "
            "and so has every layer from here on; today it is "
            f"{(*shape[1:], shape[0])}, or keras.config.set_image_data_format('channels_first')"
        )
        config.set_image_data_format("channels_first")
    return values, fields
