"""``keras.models``."""

from beak.keras.config import missing
from beak.keras.model import Model, Sequential
from beak.keras.saving import clone_model, load_model, model_from_json, save_model

__all__ = ["Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]
__getattr__ = missing("models", __all__, {"model_from_yaml": "model_from_json"})
