"""A cache of its own for every test, folders of small pictures, and the real data sets."""

import os
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("BEAK_CACHE", str(folder))
    monkeypatch.delenv("BEAK_DATA_DIR", raising=False)
    return folder


def random_picture(seed, size=(12, 10), channels=3):
    shape = (*size, channels) if channels > 1 else size
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


@pytest.fixture
def picture():
    """picture(seed, size=(height, width), channels=3): noise that a seed decides."""
    return random_picture


@pytest.fixture
def class_folders(tmp_path):
    """class_folders({"cat": 5, "dog": 7}): noise pictures in class folders; every one different."""

    def make(counts, root="photos", size=(12, 10), channels=3, ending="png"):
        folder, seed = tmp_path / root, len(root) * 10_000
        for label, count in counts.items():
            (folder / label).mkdir(parents=True, exist_ok=True)
            for i in range(count):
                seed += 1
                random_picture(seed, size, channels).save(folder / label / f"{i:04}.{ending}")
        return folder

    return make


@pytest.fixture(scope="session")
def archive():
    """archive("mnist"): the packed real data set; skips where it is not there."""

    def find(name):
        places = [os.environ.get("BEAK_DATA"), ROOT.parent / "shared" / "data"]
        archives = [Path(p) / f"{name}.tar.gz" for p in places if p]
        there = next((a for a in archives if a.is_file()), None)
        if there is None:
            pytest.skip(f"{name}: neither BEAK_DATA nor ../shared/data has {name}.tar.gz")
        return there

    return find


@pytest.fixture(scope="session")
def real(archive):
    """real("mnist"): the unpacked folder of a real data set; skips where it is not there."""

    def find(name):
        packed = archive(name)
        unpacked = Path(tempfile.gettempdir()) / "beak-test-data"
        if not (unpacked / name).is_dir():
            unpacked.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=unpacked) as beside:
                with tarfile.open(packed) as tar:
                    tar.extractall(beside, filter="data")
                try:
                    os.rename(Path(beside) / name, unpacked / name)
                except OSError:  # another worker was quicker
                    assert (unpacked / name).is_dir()
        return unpacked / name

    return find
