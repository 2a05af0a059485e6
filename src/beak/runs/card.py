"""README.md of a run: the model card that people and the Hugging Face hub read.

It holds what was measured and nothing else: figures stand in a table that ``beak evaluate`` adds
rows to; what a person writes around it stays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beak.data.kinds import kind_of
from beak.runs.directory import CARD
from beak.runs.evaluate import Evaluation
from beak.runs.files import could_not_read, write_whole
from beak.runs.model import Model
from beak.runs.safe import one_line

BEGIN, END = "<!-- beak: measured -->", "<!-- beak: end -->"
"""Between these lines the table stands; a card without them is a person's own and stays so."""
TASKS = {
    "pictures": "image-classification",
    "sounds": "audio-classification",
    "texts": "text-classification",
}
"""Kind of input -> the hub's name of what such a network does; it has none for Go and numbers."""
EXAMPLES = {
    "pictures": '"photo.jpg"',
    "sounds": '"recording.wav"',
    "texts": '"a sentence"',
    "go": '("game.sgf", 57)',
    "numbers": "array",
}
MOST_LABELS = 100
MOST_BYTES = 4 << 20
MODEL_INDEX = re.compile(r"^model-index:\n(?:(?:  |- ).*\n)*", re.M)
HEAD = "| data | part | accuracy | 95 % interval | examples |"
RULE = "|---|---|---|---|---|"
ROW = re.compile(
    r"^\| (.+) \| (.+) \| (\d+\.\d+) % \| (\d+\.\d+) to (\d+\.\d+) % \| (\d[\d,]{,20}) \|$"
)


@dataclass(frozen=True)
class Figure:
    """One measured accuracy: a row of the table."""

    data: str
    part: str
    accuracy: float
    interval: tuple[float, float]
    examples: int

    @property
    def place(self) -> tuple[str, str]:
        """What a row is told apart by."""
        return cell(self.data), cell(self.part)

    def line(self) -> str:
        """The row as it stands in the card."""
        low, high = (f"{100 * end:.2f}" for end in self.interval)
        return (
            f"| {cell(self.data)} | {cell(self.part)} | {100 * self.accuracy:.2f} % | "
            f"{low} to {high} % | {self.examples:,} |"
        )

    def index(self, task: str | None) -> list[str]:
        """The same as an entry of the front matter's model-index."""
        name = quoted(self.data)
        return [
            "  - task:", f"      type: {task or 'other'}",
            "    dataset:", f"      name: {name}", f"      type: {name}",
            f"      split: {quoted(self.part)}",
            "    metrics:", "    - type: accuracy", f"      value: {self.accuracy:.6g}",
        ]  # fmt: skip


@dataclass(frozen=True)
class CardData:
    """What a card tells of a run."""

    model: Model
    dataset: str
    """What it was trained on, as the user named it; never a path."""
    counts: Mapping[str, int]
    """Examples of each part."""
    licence: str = ""
    """Of the weights, as the hub names licences; "" where none was given."""
    data_licence: str = ""
    """Of a built-in set, and where it is from."""


def write_card(folder: Path, data: CardData) -> None:
    """Write README.md anew, unless a person's own stands there."""
    path = folder / CARD
    if path.exists() and not is_ours(path):
        return
    write_whole(path, (card_text(data).encode(),))


def remove_card(folder: Path) -> None:
    """Take away an earlier run's card; a person's own stays."""
    path = folder / CARD
    if path.is_file() and is_ours(path):
        path.unlink()


def is_ours(path: Path) -> bool:
    """Whether this is a card that beak wrote, so that its figures may be brought up to date."""
    return BEGIN in _read(path)


def add_figure(folder: Path, model: Model, figure: Figure) -> bool:
    """Put a measured figure into a run's card; False where there is no card of beak's.

    The row of the same data and part is replaced. All else stays as it is, to the byte.
    """
    path = folder / CARD
    if not path.is_file():
        return False
    text = _read(path)
    begin, end = text.find(BEGIN), text.find(END)
    if not 0 <= begin < end:
        return False
    rows = {one.place: one for one in _figures(text[begin:end])}
    figures = list((rows | {figure.place: figure}).values())
    text = text[:begin] + _table(figures) + text[end + len(END) :]
    index = "\n".join(_index(model, figures)) + "\n"
    text = MODEL_INDEX.sub(lambda _: index, text, count=1)
    write_whole(path, (text.encode(),))
    return True


def figure_of(data: str, part: str, found: Evaluation) -> Figure:
    """An evaluation as a row."""
    return Figure(data, part, found.accuracy, found.interval, found.examples)


def card_text(data: CardData) -> str:
    """The whole card: YAML front matter, then Markdown."""
    model = data.model
    test = model.info.get("test")
    figures = []
    if isinstance(test, dict) and "folds" not in test:
        interval = (test["interval"][0], test["interval"][1])
        figures = [Figure(data.dataset, "test", test["accuracy"], interval, test["examples"])]
    return "\n".join([
        *_front(data, figures),
        f"# {plain(model.name)}",
        "",
        *_about(data),
        "",
        "## Measured",
        "",
        _table(figures),
        "",
        *_beside(model),
        "## Data",
        "",
        *_data(data),
        "",
        "## Intended use",
        "",
        *_use(model),
        "",
        "## Preparation",
        "",
        f"{plain(model.spec.describe())}. It is kept in the file and done by whatever loads it.",
        "",
        "## Labels",
        "",
        _labels(model),
        "",
        "## How to load it",
        "",
        "```python",
        "import beak",
        "",
        f'answer = beak.load("model.safetensors").predict({EXAMPLES[model.spec.kind]})',
        "print(answer.label, answer.probabilities)",
        "```",
        "",
        "`model.safetensors` alone is enough; `recipe.toml` makes the training again.",
        "",
        "## Licence",
        "",
        f"{plain(data.licence)}." if data.licence else
        "None was given. Before you pass these weights on, write one here and in the first lines.",
        "",
    ])  # fmt: skip


def _front(data: CardData, figures: list[Figure]) -> list[str]:
    """The hub's YAML; JSON strings are YAML strings."""
    kind = data.model.spec.kind
    task = TASKS.get(kind)
    said = [f"license: {quoted(data.licence or 'unknown')}", "library_name: beak"]
    if task:
        said.append(f"pipeline_tag: {task}")
    tags = ["beak", "cnn", kind]
    return ["---", *said, "tags:", *(f"- {tag}" for tag in tags), *_index(data.model, figures),
            "---", ""]  # fmt: skip


def _index(model: Model, figures: list[Figure]) -> list[str]:
    """The front matter's model-index; [] where nothing was measured."""
    if not figures:
        return ["model-index:", f"- name: {quoted(model.name)}", "  results: []"]
    task = TASKS.get(model.spec.kind)
    lines = [line for figure in figures for line in figure.index(task)]
    return ["model-index:", f"- name: {quoted(model.name)}", "  results:", *lines]


def _about(data: CardData) -> list[str]:
    model, thing = data.model, kind_of(data.model.spec.kind).one
    network = str(model.info.get("network") or "a network of its own")
    version = str(model.info.get("beak") or "")
    said = f"A convolutional network ({plain(network)}, {model.network.parameter_count:,} weights)"
    return [
        f"{said} that answers one {thing} with one of {len(model.labels)} labels. "
        f"Trained with beak {plain(version)}".rstrip()
        + "."
    ]


def _table(figures: list[Figure]) -> str:
    """The table between its two marks."""
    rows = [figure.line() for figure in figures]
    body = [HEAD, RULE, *rows] if rows else ["Nothing was measured: there was no test part."]
    return "\n".join([BEGIN, "", *body, "", END])


def _figures(text: str) -> Iterator[Figure]:
    for line in text.splitlines():
        if found := ROW.match(line):
            shares = [float(found[i]) / 100 for i in (3, 4, 5)]
            data, part = (re.sub(r"\\(.)", r"\1", found[i]) for i in (1, 2))
            examples = int(found[6].replace(",", ""))
            yield Figure(data, part, shares[0], (shares[1], shares[2]), examples)


def _beside(model: Model) -> list[str]:
    """What stands behind the table: folds, the simple network beside, symmetries of Go."""
    said, test, base = [], model.info.get("test"), model.info.get("baseline")
    if isinstance(test, dict) and "folds" in test:
        each = ", ".join(f"{100 * share:.2f}" for share in test["folds"])
        said.append(
            f"Cross-validation in {len(test['folds'])} folds: mean accuracy "
            f"{100 * test['accuracy']:.2f} % ({each}); these weights were then trained on "
            "everything, and have no test of their own."
        )
    if isinstance(test, dict) and isinstance(test.get("averaged"), dict):
        mean = test["averaged"]
        said.append(
            f"The mean over {mean['views']} equal views of each example: "
            f"{100 * mean['accuracy']:.2f} %."
        )
    if isinstance(base, dict) and base.get("accuracy") is not None:
        said.append(
            f"A simple classifier beside ({plain(str(base.get('name')))}), on the same examples: "
            f"{100 * base['accuracy']:.2f} %."
        )
    return [" ".join(said), ""] if said else []


def _data(data: CardData) -> list[str]:
    names = {"train": "to learn from", "validation": "for validation", "test": "to test"}
    parts = [f"{n:,} {names.get(part, part)}" for part, n in data.counts.items() if n]
    known = f" {plain(data.data_licence)}." if data.data_licence else ""
    return [f"{plain(data.dataset)}: {', '.join(parts)}.{known}"]


def _use(model: Model) -> list[str]:
    thing = kind_of(model.spec.kind).one
    return [
        f"For a {thing} like those that it was trained on. It answers whatever it is given with "
        "one of its labels, also what is none of them; the figures above hold for that data alone. "
        "On yours: `beak evaluate RUN SOURCE`, which adds a row to the table."
    ]


def _labels(model: Model) -> str:
    shown = ", ".join(plain(label) for label in model.labels[:MOST_LABELS])
    more = len(model.labels) - MOST_LABELS
    return f"{shown} and {more:,} more" if more > 0 else shown


def plain(text: str) -> str:
    r"""Text from outside as Markdown shows it letter by letter, on one line.

    >>> plain("a_b<script>")
    'a\\_b\\<script\\>'
    """
    return re.sub(r"([\\`*_{}\[\]<>#|!~$])", r"\\\1", one_line(text, 200))


def cell(text: str) -> str:
    """Text in a cell of the table, which a reader of the card finds again."""
    kept = one_line(text, 200).replace("\\", "\\\\").replace("|", r"\|")
    return re.sub(r"[<>`\[\]]", "'", kept).strip() or "-"


def quoted(text: str) -> str:
    """A string of YAML."""
    return json.dumps(one_line(text, 200), ensure_ascii=False)


def _read(path: Path) -> str:
    """A card's text; "" for what is no text, or too long for a card: that is a person's own."""
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
        return content.decode() if len(content) <= MOST_BYTES else ""
    except UnicodeDecodeError:
        return ""
    except OSError as error:
        raise could_not_read(path, error) from None


def named(source: Any) -> str:
    """What to call a source in a card: its name without the folders it lies in."""
    return Path(str(source)).name or "data" if isinstance(source, str | Path) else "data"
