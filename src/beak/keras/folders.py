"""A folder of class folders as batches of pictures: ``image_dataset_from_directory``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from beak.data.decode import decode_file
from beak.data.pictures import SUFFIXES
from beak.errors import UsageError
from beak.keras import config
from beak.keras.tensors import Array
from beak.keras.warping import resized

CHANNELS = {"rgb": 3, "grayscale": 1}
GREY = np.array([0.299, 0.587, 0.114], np.float32)


class Dataset:
    """Batches (pictures, labels) that can be gone through again and again."""

    def __init__(
        self,
        batches: Callable[[], Iterator[Any]],
        length: int,
        element_shape: tuple[int, ...],
        class_names: list[str] | None = None,
        file_paths: list[str] | None = None,
    ) -> None:
        self._batches, self._length = batches, length
        self.element_shape, self.class_names, self.file_paths = (
            element_shape, class_names, file_paths,
        )  # fmt: skip

    def __iter__(self) -> Iterator[Any]:
        return self._batches()

    def __len__(self) -> int:
        return self._length

    def _like(self, batches: Callable[[], Iterator[Any]], length: int) -> Dataset:
        return Dataset(batches, length, self.element_shape, self.class_names, self.file_paths)

    def map(self, function: Callable[..., Any], *more: Any, **options: Any) -> Dataset:
        """Each batch through a function of arrays."""

        def changed() -> Iterator[Any]:
            for item in self:
                yield function(*item) if isinstance(item, tuple) else function(item)

        return self._like(changed, len(self))

    def prefetch(self, *more: Any, **options: Any) -> Dataset:
        """Itself: nothing is fetched ahead."""
        return self

    def cache(self, *more: Any) -> Dataset:
        """Batches kept in memory once they were made."""
        kept: list[Any] = []

        def remembered() -> Iterator[Any]:
            if kept:
                yield from kept
                return
            fresh = []
            for item in self:
                fresh.append(item)
                yield item
            kept.extend(fresh)

        return self._like(remembered, len(self))

    def shuffle(self, buffer_size: int, *more: Any, **options: Any) -> Dataset:
        """Batches in another order each time, out of a buffer of so many."""

        def mixed() -> Iterator[Any]:
            held: list[Any] = []
            for item in self:
                held.append(item)
                if len(held) >= buffer_size:
                    yield held.pop(int(config.random().integers(len(held))))
            while held:
                yield held.pop(int(config.random().integers(len(held))))

        return self._like(mixed, len(self))

    def take(self, count: int) -> Dataset:
        """The first so many batches."""

        def first() -> Iterator[Any]:
            for number, item in enumerate(self):
                if number >= count:
                    return
                yield item

        return self._like(first, min(count, len(self)))

    def skip(self, count: int) -> Dataset:
        """All but the first so many batches."""

        def rest() -> Iterator[Any]:
            for number, item in enumerate(self):
                if number >= count:
                    yield item

        return self._like(rest, max(0, len(self) - count))

    def cardinality(self) -> int:
        """How many batches there are."""
        return len(self)


def image_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: list[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: tuple[int, int] = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    verbose: bool = True,
    **more: Any,
) -> Any:
    """Batches of a folder of class folders; files are split and shuffled as Keras does it."""
    for key, value in more.items():
        if value not in (None, False, True) or (key == "pad_to_aspect_ratio" and value):
            raise config.refuse(f"image_dataset_from_directory({key}=…)", "it without")
    if labels not in ("inferred", None):
        raise config.refuse("labels given as a list", "labels='inferred'")
    if color_mode not in CHANNELS:
        raise config.refuse(f"color_mode={color_mode!r}", "'rgb' or 'grayscale'")
    if batch_size is None:
        raise config.refuse("batch_size=None", "a batch_size")
    if (validation_split is None) != (subset is None):
        raise UsageError("validation_split and subset go together")
    if validation_split and shuffle and seed is None:
        raise UsageError("validation_split with shuffle wants a seed, or the parts would overlap")
    names, files, numbers = _found(Path(directory), class_names)
    if verbose:
        belong = "" if labels is None else f" belonging to {len(names)} classes"
        print(f"Found {len(files)} files{belong}.")
    mode = None if labels is None else label_mode
    if mode == "binary" and len(names) != 2:
        raise UsageError(f"label_mode='binary' with {len(names)} classes; two were wanted")
    seed = config.draw_seed() if seed is None else int(seed)
    if shuffle:
        order = np.arange(len(files))
        np.random.RandomState(seed).shuffle(order)
        files, numbers = [files[i] for i in order], numbers[order]
    if validation_split is None:
        parts = [slice(None)]
    else:
        held = int(validation_split * len(files))
        halves = {"training": slice(0, len(files) - held),
                  "validation": slice(len(files) - held, None)}  # fmt: skip
        if subset not in (*halves, "both"):
            raise UsageError(f"subset={subset!r}; 'training', 'validation' or 'both' was wanted")
        chosen = list(halves) if subset == "both" else [str(subset)]
        parts = [halves[name] for name in chosen]
        for name in chosen:
            print(f"Using {len(files[halves[name]])} files for {name}.")
    size = (int(image_size[0]), int(image_size[1]))
    wanted = (*size, CHANNELS[color_mode])
    first = config.data_format_of(data_format) == "channels_first"
    shape = (wanted[-1], *size) if first else wanted

    def load(path: Path) -> Array:
        picture = _picture(path, wanted, interpolation, crop_to_aspect_ratio)
        return np.moveaxis(picture, -1, 0) if first else picture

    made = [
        _dataset(files[part], numbers[part], names, mode, batch_size, shape, load,
                 shuffle and number == 0, seed)
        for number, part in enumerate(parts)
    ]  # fmt: skip
    return made[0] if len(made) == 1 else tuple(made)


def _dataset(
    files: list[Path],
    numbers: Array,
    names: list[str],
    mode: str | None,
    batch_size: int,
    shape: tuple[int, ...],
    load: Callable[[Path], Array],
    shuffle: bool,
    seed: int,
) -> Dataset:
    told: Array = numbers.astype(np.int32)
    if mode == "categorical":
        told = np.eye(len(names), dtype=np.float32)[numbers]
    elif mode == "binary":
        told = numbers.astype(np.float32)[:, None]
    passes = 0

    def batches() -> Iterator[Any]:
        nonlocal passes
        order = np.arange(len(files))
        if shuffle:
            order = np.random.default_rng([seed, passes]).permutation(order)
        passes += 1
        for begin in range(0, len(files), batch_size):
            chosen = order[begin : begin + batch_size]
            pictures = np.stack([load(files[i]) for i in chosen])
            yield pictures if mode is None else (pictures, told[chosen])

    length = math.ceil(len(files) / batch_size)
    return Dataset(batches, length, shape, names, [str(file) for file in files])


def _found(root: Path, class_names: list[str] | None) -> tuple[list[str], list[Path], Array]:
    if not root.is_dir():
        raise UsageError(f"{root}: no such folder; a folder of class folders was wanted")
    there = sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    names = there if class_names is None else list(class_names)
    if set(names) - set(there):
        raise UsageError(f"{root}: no folder {sorted(set(names) - set(there))[0]!r}")
    files: list[Path] = []
    numbers: list[int] = []
    for number, name in enumerate(names):
        own = sorted(p for p in (root / name).rglob("*") if p.suffix.lower() in SUFFIXES)
        files += own
        numbers += [number] * len(own)
    if not files:
        raise UsageError(f"{root}: no pictures in its class folders")
    return names, files, np.asarray(numbers)


def _picture(path: Path, shape: tuple[int, ...], interpolation: str, crop: bool) -> Array:
    pixels = decode_file(path, str(path)).pixels.astype(np.float32)
    if pixels.shape[2] == 4:  # the last is how see-through it is
        pixels = pixels[..., :-1]
    if shape[2] == 3 and pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    elif shape[2] == 1 and pixels.shape[2] == 3:
        pixels = (pixels @ GREY)[..., None]
    if crop:
        high, wide = pixels.shape[:2]
        keep = (
            min(high, int(wide * shape[0] / shape[1])),
            min(wide, int(high * shape[1] / shape[0])),
        )
        top, left = (high - keep[0]) // 2, (wide - keep[1]) // 2
        pixels = pixels[top : top + keep[0], left : left + keep[1]]
    return np.asarray(resized(pixels[None], shape[0], shape[1], interpolation)[0])


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "bilinear",
    keep_aspect_ratio: bool = False,
    **more: Any,
) -> Array:
    """A picture file as an array (H, W, C) of 0 to 255."""
    if color_mode not in CHANNELS:
        raise config.refuse(f"color_mode={color_mode!r}", "'rgb' or 'grayscale'")
    size = target_size
    if size is None:
        size = decode_file(Path(path), str(path)).pixels.shape[:2]
    return _picture(Path(path), (*size, CHANNELS[color_mode]), interpolation, keep_aspect_ratio)


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> Array:
    """A picture as float32 (H, W, C)."""
    array = np.asarray(img, dtype or np.float32)
    array = array[..., None] if array.ndim == 2 else array
    first = config.data_format_of(data_format) == "channels_first"
    return np.moveaxis(array, -1, 0) if first else array
