"""``keras.backend``: the settings that scripts read and set."""

from beak.keras.config import (
    backend,
    clear_session,
    epsilon,
    floatx,
    image_data_format,
    missing,
    set_floatx,
    set_image_data_format,
)


def image_dim_ordering() -> str:
    """Keras 1's word for image_data_format: "tf" or "th"."""
    return "th" if image_data_format() == "channels_first" else "tf"


def set_image_dim_ordering(ordering: str) -> None:
    """Keras 1's word for set_image_data_format: "tf" or "th"."""
    set_image_data_format({"th": "channels_first", "tf": "channels_last"}.get(ordering, ordering))


__all__ = [
    "backend",
    "clear_session",
    "epsilon",
    "floatx",
    "image_data_format",
    "image_dim_ordering",
    "set_floatx",
    "set_image_data_format",
    "set_image_dim_ordering",
]
__getattr__ = missing("backend", __all__, {})
