from __future__ import annotations

import dataclasses
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from beak.errors import RunError
from beak.runs.charts import Line, curves, epoch_ticks, nice_ticks, percent
from beak.runs.evaluate import Evaluation, Mistake, class_scores, wilson
from beak.runs.png import data_uri, png, thumbnail
from beak.runs.report import ReportData, report_html, write_report

VOID = {"meta", "img", "br", "line", "circle", "path", "rect"}


class Page(HTMLParser):
    """Parses a page, insists that every tag is closed in order, and collects its texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@dataclasses.dataclass
class Shown:
    inputs: np.ndarray


def evaluation_of(labels: tuple[str, ...], confusion: np.ndarray, names: str = "x") -> Evaluation:
    wrong = [(k, j) for k, j in np.argwhere(confusion) if k != j][:24]
    mistakes = tuple(
        Mistake(i, f"{names}{i}.png", labels[k], labels[j], 0.9) for i, (k, j) in enumerate(wrong)
    )
    right, total = int(np.trace(confusion)), int(confusion.sum())
    scores = class_scores(confusion, labels)
    return Evaluation(
        right / total, wilson(right, total), 0.25, total, labels, confusion, scores, mistakes
    )


CONFUSION = np.array([[8, 1, 0], [0, 9, 0], [2, 0, 0]])
HISTORY = [
    {"epoch": 1, "train_loss": 1.5, "validation_loss": None, "train_accuracy": 0.4},
    {"epoch": 2, "train_loss": 0.5, "validation_loss": 0.7, "train_accuracy": 0.8},
]


@pytest.fixture
def data(model) -> ReportData:
    return ReportData(
        model=model,
        dataset="animals",
        counts={"train": 100, "test": 20},
        history=HISTORY,
        evaluation=evaluation_of(model.labels, CONFUSION),
        part=Shown(np.zeros((20, 1, 8, 8), np.uint8)),
        baseline={"name": "linear", "accuracy": 0.6},
        recipe="seed = 1\n",
        machine={"cpu": "A <fast> one", "memory_bytes": 8 << 30},
        seconds=12.0,
    )


def test_the_page_says_what_was_trained_and_how_good_it_is(data):
    text = Page(report_html(data)).text
    for said in (
        "animals",
        "85.0 %",
        "of 20 test pictures answered right",
        "25.0 points more than the linear baseline",
        "95 % interval 64.0 % to 94.8 %",
        "100 train, 20 test",
        "bird taken for cat",
        "seed = 1",
        "A <fast> one",
        "151 parameters",
        "8 GB",
    ):
        assert said in text.replace("\u00a0", " "), said


@pytest.mark.parametrize(
    ("baseline", "said"),
    [(0.85, "as good as the linear"), (0.9, "5.0 points less than the linear")],
)
def test_the_page_says_how_the_baseline_compares(data, baseline, said):
    data = dataclasses.replace(data, baseline={"name": "linear", "accuracy": baseline})
    assert said in Page(report_html(data)).text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "less than a second"), (1.4, "1 s"), (119.4, "119 s"), (150, "2 min"), (9000, "2.5 h")],
)
def test_the_page_says_how_long_it_took(data, seconds, said):
    data = dataclasses.replace(data, seconds=seconds)
    assert f"epochs in {said}" in Page(report_html(data)).text.replace("\u00a0", " ")


def test_the_page_needs_nothing_from_outside(data):
    page = report_html(data)
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<script|<link|<iframe", page)
    for name, value in Page(page).attributes:
        assert not name.startswith("on")
        if name in ("src", "href", "srcset", "action"):
            assert value.startswith("data:image/png;base64,")


HOSTILE = "</title><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\x00\x1b\u202e\udcff"


def test_hostile_names_stay_text(data):
    labels = (HOSTILE, HOSTILE + "2", "c")
    evaluation = evaluation_of(labels, CONFUSION, names=HOSTILE)
    model = dataclasses.replace(
        data.model, labels=labels, info={"network": HOSTILE, "beak": HOSTILE}, notes=(HOSTILE,)
    )
    page = report_html(
        dataclasses.replace(
            data,
            model=model,
            evaluation=evaluation,
            dataset=HOSTILE,
            recipe=HOSTILE,
            part_name=HOSTILE,
            counts={HOSTILE: 3},
            machine={HOSTILE: HOSTILE},
            baseline={"name": HOSTILE, "accuracy": 0.5},
            notes=[HOSTILE],
        )
    )
    page.encode()
    found = Page(page)
    assert "script" not in found.tags
    assert not any(name == "onerror" for name, _ in found.attributes)
    assert found.tags.count("img") == 2
    assert "</title><script>alert(1)</script>" in found.text


@given(label=st.text(max_size=30), value=st.text(max_size=30))
@settings(max_examples=40, deadline=None)
def test_any_text_gives_a_page_that_closes(small_model, label, value):
    model = dataclasses.replace(small_model(), info={"network": value})
    labels = (label, label + "b", "c")
    found = ReportData(model, value, evaluation=evaluation_of(labels, CONFUSION), recipe=value)
    page = report_html(found)
    page.encode()
    assert Page(page).tags.count("main") == 1


@pytest.mark.parametrize("count", [2, 24, 25, 300, 1200])
def test_any_number_of_classes_is_shown(data, count):
    labels = tuple(f"class {k}" for k in range(count))
    confusion = np.eye(count, dtype=np.int64) * 5
    confusion[0, 1] = 3
    page = report_html(dataclasses.replace(data, evaluation=evaluation_of(labels, confusion)))
    found = Page(page)
    assert "class 0 taken for class 1" in found.text
    assert f"class {count - 1}" in found.text
    assert (("class", "matrix") in found.attributes) == (count <= 24)
    assert len(page) < 2_000_000


def test_a_run_without_a_test_part_or_mistakes_or_history_is_shown(data):
    bare = ReportData(data.model)
    assert "Loss" not in Page(report_html(bare)).text
    perfect = evaluation_of(data.model.labels, np.eye(3, dtype=np.int64))
    text = Page(report_html(dataclasses.replace(data, evaluation=perfect, part=None))).text
    assert "Every one of the 3 test examples was right" in text


def test_a_page_that_cannot_be_written_is_told(data, tmp_path):
    write_report(tmp_path / "report.html", data)
    assert (tmp_path / "report.html").read_text().startswith("<!DOCTYPE html>")
    with pytest.raises(RunError, match=r"report\.html could not be written"):
        write_report(tmp_path / "gone" / "report.html", data)


@pytest.mark.parametrize("shape", [(1, 5, 7), (3, 1, 1), (4, 9, 2), (2, 3, 3)])
def test_a_png_holds_the_pixels(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    with Image.open(io.BytesIO(png(pixels))) as picture:
        found = np.asarray(picture).reshape(*shape[1:], shape[0]).transpose(2, 0, 1)
    np.testing.assert_array_equal(found, pixels)
    assert data_uri(pixels).startswith("data:image/png;base64,iVBOR")


def test_thumbnails_are_small_and_true():
    pixels = np.zeros((3, 400, 200), np.uint8)
    pixels[0, :200] = 100
    small = thumbnail(pixels)
    assert small.shape == (3, 80, 40)
    assert small[0, :40].tolist() == [[100] * 40] * 40
    assert small[0, 40:].max() == 0
    assert thumbnail(np.zeros((7, 20, 500), np.uint8)).shape[0] == 1
    assert max(thumbnail(np.zeros((1, 3, 5000), np.uint8)).shape) <= 96
    np.testing.assert_array_equal(thumbnail(pixels[:, :90, :50]), pixels[:, :90, :50])


@given(low=st.floats(-1e6, 1e6), width=st.floats(1e-6, 1e6), about=st.integers(2, 10))
@example(low=879609.9999999999, width=1e-6, about=5)
def test_ticks_span_the_values_at_round_steps(low, width, about):
    ticks = nice_ticks(low, low + width, about)
    slack = 1e-6 * width + 2 * np.spacing(abs(low) + width)  # doubles tell no less apart there
    assert ticks[0] <= low + slack
    assert ticks[-1] >= low + width - slack
    assert 2 <= len(ticks) <= about + 3


@given(steps=st.integers(1, 100_000))
def test_epochs_on_the_axis_are_few_and_begin_and_end_it(steps):
    ticks = epoch_ticks(steps)
    assert ticks[0] == 1
    assert ticks[-1] == steps
    assert len(ticks) <= 8
    assert ticks == sorted(set(ticks))


def test_curves_have_gaps_where_values_miss_and_survive_nan():
    line = Line("validation", "valid", [1.0, None, float("nan"), 0.5, 0.25])
    drawn = curves("Loss", [line], show=str)
    assert re.findall(r'<path d="([^"]*)"', drawn)[0].count("M") == 2
    assert drawn.count("<circle") == 3
    assert curves("Loss", [Line("x", "train", [None])], show=str) == ""
    assert "<path" in curves("Loss", [Line("x", "train", [0.0])], show=str)


def test_a_share_short_of_all_never_reads_as_all():
    assert percent(9_999_999 / 10_000_000).startswith("99.9999")
    assert percent(0.5) == "50.0\u00a0%"
