"""The built-in sets: what they are, under which terms, where they come from, where they lie."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from beak.data.download import download
from beak.data.wishes import Progress
from beak.errors import UsageError, did_you_mean

DIGITS_FILE = Path(__file__).parent / "files" / "digits.npz"
GO_DEMO_FILE = Path(__file__).parent / "files" / "go-demo.zip"


@dataclass(frozen=True)
class RemoteFile:
    """A file as its publisher gives it."""

    name: str
    size: int
    """Bytes."""
    sha256: str
    urls: tuple[str, ...]


@dataclass(frozen=True)
class BuiltIn:
    """A set that can be named instead of a path."""

    name: str
    description: str
    licence: str
    home: str
    files: tuple[RemoteFile, ...] = ()
    """None: it comes with beak."""
    labels: tuple[str, ...] | None = None
    """What the label numbers mean; None: the numbers are the labels."""
    kind: str = "pictures"
    """What it is a set of, as `beak.data.kinds` names it."""
    folders: tuple[str, ...] = ()
    """Of a set that is a folder of files: what that folder may be called."""
    mark: str = ""
    """A file that shows that such a folder is this set."""


def _idx_files(places: tuple[str, ...], *told: tuple[str, int, str]) -> tuple[RemoteFile, ...]:
    return tuple(
        RemoteFile(name, size, sha, tuple(place + name for place in places))
        for name, size, sha in told
    )


MNIST_FILES = _idx_files(
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    (
        "train-images-idx3-ubyte.gz",
        9912422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    (
        "train-labels-idx1-ubyte.gz",
        28881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    (
        "t10k-images-idx3-ubyte.gz",
        1648877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    (
        "t10k-labels-idx1-ubyte.gz",
        4542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
)
FASHION_FILES = _idx_files(
    (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    (
        "train-images-idx3-ubyte.gz",
        26421880,
        "08dc20ab1689590a0bcd66e874647b6ee8464e2d501b5a3f1f78831db19a3fdc",
    ),
    (
        "train-labels-idx1-ubyte.gz",
        29515,
        "b0197879cbda89f3dc7b894f9fd52b858e68ea4182b6947c9d8c2b67e5f18dcc",
    ),
    (
        "t10k-images-idx3-ubyte.gz",
        4422102,
        "78dcbbfb5a27efaf1b6c1d616caca68560be8766c5bffcb2791df9273a534229",
    ),
    (
        "t10k-labels-idx1-ubyte.gz",
        5148,
        "42bd18137a62d5998cdeae52bf3a0676ac6b706f5cf8439b47bb5b151ae3dccf",
    ),
)
CIFAR_FILES = (
    RemoteFile(
        "cifar-10-binary.tar.gz",
        170052171,
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
    ),
)
BUILTIN = {
    each.name: each
    for each in (
        BuiltIn(
            "digits",
            "1,797 handwritten digits, 8x8 enlarged to 28x28; comes with beak",
            "CC BY 4.0 (E. Alpaydin, C. Kaynak, UCI)",
            "https://doi.org/10.24432/C50P49",
        ),
        BuiltIn(
            "go-demo",
            "games of GNU Go 3.8 against itself, 19x19; comes with beak",
            "MIT (made for beak)",
            "https://www.gnu.org/software/gnugo",
            kind="go",
        ),
        BuiltIn(
            "mnist",
            "70,000 handwritten digits, 28x28 grey",
            "none on its page; commonly given as CC BY-SA 3.0 (LeCun, Cortes, Burges)",
            "http://yann.lecun.com/exdb/mnist",
            MNIST_FILES,
        ),
        BuiltIn(
            "fashion-mnist",
            "70,000 pictures of clothes, 28x28 grey",
            "MIT (Zalando SE)",
            "https://github.com/zalandoresearch/fashion-mnist",
            FASHION_FILES,
            ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker",
             "Bag", "Ankle boot"),
        ),
        BuiltIn(
            "cifar10",
            "60,000 photographs of ten kinds of things, 32x32 in colour (binary version)",
            "none stated; A. Krizhevsky (2009) asks to be cited",
            "https://www.cs.toronto.edu/~kriz/cifar.html",
            CIFAR_FILES,
            ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship",
             "truck"),
        ),
    )
}  # fmt: skip
FSDD_COMMIT = "26eb9aaf76e81b692f806f9140c2d2777410d7a1"
FSDD_ARCHIVE = (
    f"https://codeload.github.com/Jakobovski/free-spoken-digit-dataset/tar.gz/{FSDD_COMMIT}"
)
FSDD_SUM = "a2e8a660492f28d9eed6270b290d26cbc5c81d6077ce87d3c0ad5adf4d4ee696"
"""SHA-256 over each recording's name, a zero byte and the SHA-256 of its content, by name: archives
of a commit are packed anew now and then, their contents stay."""
FSDD = BuiltIn(
    "fsdd",
    "3,000 spoken digits, 6 speakers, 8 kHz (Free Spoken Digit Dataset)",
    "CC BY-SA 4.0 (Z. Jackson and others)",
    "https://github.com/Jakobovski/free-spoken-digit-dataset",
    (RemoteFile(FSDD_COMMIT, 21_239_440, FSDD_SUM, (FSDD_ARCHIVE,)),),
    kind="sounds",
    folders=("recordings", "fsdd/recordings", "free-spoken-digit-dataset/recordings"),
    mark="0_jackson_0.wav",
)
SPEECH_COMMANDS = BuiltIn(
    "speech-commands",
    "105,829 recordings of 35 words, 2,618 speakers, 16 kHz (v0.02)",
    "CC BY 4.0 (P. Warden, Google)",
    "https://arxiv.org/abs/1804.03209",
    (
        RemoteFile(
            "speech_commands_v0.02.tar.gz",
            2_428_923_189,
            "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
            (
                "https://storage.googleapis.com/download.tensorflow.org/data/"
                "speech_commands_v0.02.tar.gz",
            ),
        ),
    ),
    kind="sounds",
    folders=(
        "speech-commands",
        "speech_commands_v0.02",
        "SpeechCommands/speech_commands_v0.02",
        "speech_commands",
    ),
    mark="testing_list.txt",
)
BUILTIN |= {each.name: each for each in (FSDD, SPEECH_COMMANDS)}
CIFAR_BATCHES = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")


@dataclass(frozen=True)
class Status:
    """Whether a built-in set is here."""

    name: str
    present: bool
    folder: Path
    """Where it lies, or would be put."""
    how: str
    """One line: how to get it, or where it is."""


NO_HOME = Path(os.sep, "nonexistent")
"""What Unix calls the home of users without one: caches are not kept then, and a note says so."""


def default_data_dir() -> Path:
    """``$BEAK_DATA_DIR``, or ``data`` in the cache."""
    told = os.environ.get("BEAK_DATA_DIR")
    return Path(told) if told else default_cache_dir() / "data"


def default_cache_dir() -> Path:
    """``$BEAK_CACHE``, or ``~/.cache/beak``; without a home one that cannot be written."""
    told = os.environ.get("BEAK_CACHE")
    if told:
        return Path(told)
    try:
        home = Path.home()
    except RuntimeError:  # no HOME, and a user that the system does not know
        home = NO_HOME
    return home / ".cache" / "beak"


def status(name: str, data_dir: Path | str | None = None) -> Status:
    """Where a built-in set is and how to get it. Raises UsageError for a name that is none."""
    known = builtin(name)
    if not known.files:
        return Status(name, True, DIGITS_FILE.parent, "comes with beak")
    files = local_files(known, data_dir)
    if files:
        return Status(name, True, files[0].parent, f"in {files[0].parent}")
    folder = home_of(known, data_dir)
    size = sum(file.size for file in known.files) / 1e6
    how = f"beak train {name} downloads it ({size:.0f} MB) to {folder}; or point --data-dir to it"
    return Status(name, False, folder, how)


def builtin(name: str) -> BuiltIn:
    """The set of this name. Raises UsageError with the nearest name."""
    if name not in BUILTIN:
        raise UsageError(f"no built-in set {name!r}{did_you_mean(name, BUILTIN)}")
    return BUILTIN[name]


def local_files(known: BuiltIn, data_dir: Path | str | None) -> list[Path]:
    """The files of a set, all of them, where they are on this machine; [] where they are not."""
    base = Path(data_dir) if data_dir is not None else default_data_dir()
    if known.folders:
        marks = [base / folder / known.mark for folder in ("", *known.folders)]
        return [mark for mark in marks if mark.is_file()][:1]
    inner = ("", known.name, f"{known.name}/raw", "raw", "cifar-10-batches-bin")
    for folder in (base / place for place in (*inner, f"{known.name}/cifar-10-batches-bin")):
        if known.name == "cifar10" and all((folder / n).is_file() for n in CIFAR_BATCHES):
            return [folder / n for n in CIFAR_BATCHES]
        files = [_either(folder, file.name) for file in known.files]
        if all(file.is_file() for file in files):
            if known.name in ("mnist", "fashion-mnist") and _is_another(known, files):
                continue
            return files
    return []


def _either(folder: Path, name: str) -> Path:
    plain = folder / name.removesuffix(".gz")
    return plain if name.endswith("ubyte.gz") and plain.is_file() else folder / name


def _is_another(known: BuiltIn, files: list[Path]) -> bool:
    """MNIST and Fashion-MNIST have the same file names; the compressed sizes tell them apart."""
    others = MNIST_FILES if known.files is FASHION_FILES else FASHION_FILES
    sizes = [file.stat().st_size for file in files]
    return sizes == [file.size for file in others]


def home_of(known: BuiltIn, data_dir: Path | str | None) -> Path:
    """Where a set is put."""
    return (Path(data_dir) if data_dir is not None else default_data_dir()) / known.name


def get(
    known: BuiltIn,
    data_dir: Path | str | None,
    progress: Progress | None = None,
    fetch: Callable[..., Path] = download,
) -> list[Path]:
    """The files of a set, downloaded where they are not here yet. Raises DataError, UsageError."""
    if data_dir is not None and not Path(data_dir).is_dir():
        raise UsageError(f"--data-dir {data_dir}: no such folder")
    files = local_files(known, data_dir)
    if files:
        return files
    folder = home_of(known, data_dir)
    made = []
    for file in known.files:
        target = folder / file.name
        if not target.is_file():
            fetch(file.urls, target, file.sha256, file.size, progress)
        made.append(target)
    return made
