"""report.html: one page that shows a run, opens without a network and needs no scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beak.data.kinds import kind_of
from beak.network.summary import summarise
from beak.runs.charts import Line, curves, interval_scale, nice_ticks, percent, text
from beak.runs.evaluate import Evaluation
from beak.runs.files import write_whole
from beak.runs.model import Model
from beak.runs.report_answers import classes_section, matrix_section, mistakes_section
from beak.runs.report_go import go_sections
from beak.runs.report_style import STYLE
from beak.runs.report_texts import marker

if TYPE_CHECKING:
    from beak.data.dataset import Part


@dataclass(frozen=True)
class ReportData:
    """Everything that a report shows; what is None or empty is left out of the page."""

    model: Model
    dataset: str = ""
    """What it was trained on, as the user named it."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Examples of each part, as {"train": 1437, "validation": 180, "test": 180}."""
    history: Sequence[Mapping[str, Any]] = ()
    """The lines of history.jsonl."""
    evaluation: Evaluation | None = None
    part: Part | None = None
    """What was evaluated: the pictures of the mistakes come from here."""
    part_name: str = "test"
    baseline: Mapping[str, Any] | None = None
    """{"name", "accuracy"} of the simple network that was trained beside."""
    recipe: str = ""
    machine: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    notes: Sequence[str] = ()
    """Lines that the reader should know, as the findings in the data."""


def write_report(path: str | Path, data: ReportData) -> None:
    """Write the page; RunError where it cannot be written."""
    write_whole(Path(path), (report_html(data).encode(),))


def report_html(data: ReportData) -> str:
    """The whole page; every text from outside is escaped."""
    evaluation = data.evaluation
    sections = [_header(data), _notes(data), _curves(data.history)]
    if evaluation is not None and evaluation.strata:
        sections += go_sections(evaluation, data.part, data.part_name)
    elif evaluation is not None:
        show = marker(data.model, data.part)
        sections.append(matrix_section(evaluation, data.part_name))
        sections.append(classes_section(evaluation))
        sections.append(
            mistakes_section(evaluation, data.part, data.part_name, data.model.spec, show)
        )
    how = _recipe(data.recipe) + _machine(data.machine)
    sections += [_network(data.model), f'<div class="two">{how}</div>' if how else ""]
    beak = text(data.model.info.get("beak") or data.machine.get("beak") or "")
    title = text(f"{_network_name(data.model)} on {data.dataset or 'your data'}")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:; media-src data:\">\n"
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in sections if part)
        + f"\n<footer>Made by beak {beak}. This page holds everything it shows.</footer>\n"
        "</main>\n</body>\n</html>\n"
    )


def _network_name(model: Model) -> str:
    return str(model.info.get("network") or model.info.get("recipe") or "network")


def _header(data: ReportData) -> str:
    """What was trained on what, how good it is, and the simple network beside it."""
    name = text(_network_name(data.model))
    on = f" trained on <bdi>{text(data.dataset)}</bdi>" if data.dataset else ""
    return f"<header><h1>{name}{on}</h1>{_result(data)}{_facts(data)}</header>"


def _facts(data: ReportData) -> str:
    model, epochs = data.model, len(data.history)
    parts = ", ".join(f"{count:,} {text(name)}" for name, count in data.counts.items())
    facts = {
        "Data": f"{text(data.dataset)}<br>{parts}" if data.dataset else parts,
        "Classes": _class_names(model.labels),
        "Input": text(model.spec.describe()),
        "Network": f"{text(_network_name(model))}, {model.network.parameter_count:,} parameters"
        + (f"<br>{epochs} epochs{_seconds(data.seconds)}" if epochs else ""),
    }
    rows = "".join(f"<div><dt>{k}</dt><dd>{v}</dd></div>" for k, v in facts.items() if v)
    return f'<dl class="facts">{rows}</dl>'


def _result(data: ReportData) -> str:
    """The accuracy in large, its interval and the baseline on one scale."""
    found = data.evaluation
    if found is None:
        return ""
    base, beside = None, ""
    if data.baseline and data.baseline.get("accuracy") is not None:
        base = (str(data.baseline.get("name", "")), float(data.baseline["accuracy"]))
        gap = 100 * (found.accuracy - base[1])
        word = "more" if gap >= 0 else "less"
        more = f"{abs(gap):.1f} points {word} than" if abs(gap) >= 0.05 else "as good as"
        beside = f"{more} the {text(base[0], 40)} baseline; "
    low, high = (percent(end) for end in found.interval)
    spec = data.model.spec
    kind = "examples" if spec.kind == "numbers" else f"{kind_of(spec.kind).one}s"
    return (
        f'<div class="head"><span class="hero">{percent(found.accuracy)}</span>'
        f"<p>of {found.examples:,} {text(data.part_name)} {kind} answered right"
        f"<small>{beside}95&nbsp;% interval {low} to {high}; loss {_number(found.loss)}</small></p>"
        f"</div>{interval_scale(found.accuracy, found.interval, base)}"
    )


def _class_names(labels: Sequence[str], room: int = 90) -> str:
    """How many classes, and as many of their names as there is room for."""
    shown, used = [], 0
    for label in labels:
        used += len(label[:40]) + 2
        if used > room:
            break
        shown.append(f"<bdi>{text(label, 40)}</bdi>")
    rest = len(labels) - len(shown)
    more = f" and {rest:,} more" if rest else ""
    return f"{len(labels):,}: {', '.join(shown)}{more}"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 120:
        return f" in {seconds:.0f} s" if seconds >= 1 else " in less than a second"
    minutes = round(seconds / 60)
    return f" in {minutes} min" if minutes < 120 else f" in {minutes / 60:.1f} h"


def _number(value: float) -> str:
    return f"{value:.4f}" if value == value else "not a number"


def _notes(data: ReportData) -> str:
    found = [*data.notes, *data.model.notes, *(data.evaluation.notes if data.evaluation else ())]
    rows = "".join(f"<p>{text(note, 600)}</p>" for note in found)
    return f"<section><h2>To know</h2>{rows}</section>" if rows else ""


def _curves(history: Sequence[Mapping[str, Any]]) -> str:
    """Loss and accuracy over the epochs, training and validation in one frame each."""

    def lines(what: str) -> list[Line]:
        found = []
        for look, name, key in (
            ("train", "training", "train"),
            ("valid", "validation", "validation"),
        ):
            values = [_value(record.get(f"{key}_{what}")) for record in history]
            if any(value is not None for value in values):
                found.append(Line(name, look, values))
        return found

    accuracies = lines("accuracy")
    known = [v for line in accuracies for v in line.values if v is not None]
    least = min(known, default=0.0)
    ticks = nice_ticks(0.0 if least < 0.5 else least - 0.02, 1.0)
    loss = curves("Loss", lines("loss"), show=lambda v: f"{v:.3g}")
    accuracy = curves("Accuracy", accuracies, show=_per_cent, ticks=ticks, highest=1.0)
    frames = ""
    if loss:
        frames += f"<div><h3>Loss</h3>{loss}</div>"
    if accuracy:
        frames += f"<div><h3>Accuracy</h3>{accuracy}</div>"
    if not frames:
        return ""
    return (
        "<section><h2>How it learned</h2>"
        '<p class="why">Training is counted while the network changes and on varied inputs, so '
        "early in training it may lie below validation. Where validation turns worse while "
        "training improves, the network learns by heart.</p>"
        f'<div class="pair">{frames}</div></section>'
    )


def _value(found: Any) -> float | None:
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def _per_cent(share: float) -> str:
    return f"{100 * share:.4g}\u00a0%"


def _network(model: Model) -> str:
    """The table of layers, with what the same map would cost fully connected."""
    summary = summarise(model.network)
    rows = []
    for row in summary.rows:
        twin = row.dense_parameters if row.times_smaller else 0
        cells = (
            " × ".join(str(size) for size in row.output),
            f"{row.parameters:,}" if row.parameters else "",
            f"{row.multiply_adds:,}" if row.multiply_adds else "",
            " × ".join(str(size) for size in row.receptive_field),
            f"{twin:,}" if twin else "",
            _times(row.times_smaller),
        )
        rest = "".join(f'<td class="n">{cell}</td>' for cell in cells)
        rows.append(f"<tr><th>{text(row.name)}</th><td>{text(row.kind)}</td>{rest}</tr>")
    heads = (
        "Output",
        "Parameters",
        "Multiply-adds",
        "Receptive field",
        "Fully connected",
        "Times smaller",
    )
    head = "".join(f'<th class="n">{name}</th>' for name in heads)
    return (
        "<section><h2>The network</h2>"
        '<p class="why">Shapes are channels × height × width. “Fully connected” is how many '
        "parameters the same step would need if every output were joined to every input.</p>"
        '<div class="scroll"><table class="rows"><thead><tr><th>Layer</th><th>Kind</th>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody><tfoot><tr><th>Together</th><td></td>"
        f'<td></td><td class="n">{summary.parameters:,}</td>'
        f'<td class="n">{summary.multiply_adds:,}</td><td></td>'
        f'<td class="n">{summary.dense_parameters:,}</td>'
        f'<td class="n">{_times(summary.times_smaller)}</td></tr></tfoot></table></div></section>'
    )


def _times(ratio: float | None) -> str:
    """How many times smaller, in a precision that tells something."""
    if ratio is None or ratio <= 1:
        return ""
    return f"{ratio:,.0f}×" if ratio >= 10 else f"{ratio:.1f}×"


def _recipe(recipe: str) -> str:
    if not recipe.strip():
        return ""
    lines = "\n".join(text(line, 2000) for line in recipe.strip().splitlines())
    return (
        '<section><h2>The recipe</h2><p class="why">Saved as recipe.toml; training with it and '
        f"the same data gives the same network.</p><pre>{lines}</pre></section>"
    )


def _machine(machine: Mapping[str, Any]) -> str:
    if not machine:
        return ""
    shown = dict(machine)
    memory = shown.pop("memory_bytes", None)
    if isinstance(memory, int):
        shown["memory"] = f"{memory / 2**30:.0f} GB"
    rows = "".join(
        f"<div><dt>{text(str(key).replace('_', ' '))}</dt><dd>{text(value)}</dd></div>"
        for key, value in shown.items()
        if isinstance(value, str | int | float)
    )
    return f'<section><h2>The machine</h2><dl class="facts">{rows}</dl></section>'
