"""``keras.preprocessing``: what Keras 3 still has of it."""

from beak.keras.config import missing
from beak.keras.folders import image_dataset_from_directory, img_to_array, load_img


class image:  # noqa: N801 - a module in Keras
    """Pictures."""

    img_to_array = staticmethod(img_to_array)
    load_img = staticmethod(load_img)


__all__ = ["image", "image_dataset_from_directory"]
NEAREST = {
    "text": "beak train with a file of sentences",
    "sequence": "numpy.pad",
    "ImageDataGenerator": "image_dataset_from_directory and layers.RandomFlip, RandomRotation, …",
}
__getattr__ = missing("preprocessing", __all__, NEAREST)
