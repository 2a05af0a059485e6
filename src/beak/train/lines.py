"""Events as plain lines: what a training in a Python session or a notebook prints."""

from __future__ import annotations

from typing import Any


def print_events(event: dict[str, Any]) -> None:
    """Print an event as a line, where it is worth one."""
    text = line(event)
    if text:
        print(text, flush=True)


def line(event: dict[str, Any]) -> str:
    """The line, or "" for events that a terminal would only show in a progress bar.

    >>> line({"event": "note", "text": "3 files cannot be read"})
    'note: 3 files cannot be read'
    """
    write = _LINES.get(event["event"])
    text = write(event) if write else ""
    if text and "fold" in event:
        text = f"fold {event['fold']} of {event['folds']}: {text}"
    return f"{event['compare']}: {text}" if text and "compare" in event else text


def _epoch(event: dict[str, Any]) -> str:
    validation = ""
    if event["validation_accuracy"] is not None:
        validation = (
            f", validation loss {event['validation_loss']:.4f} "
            f"accuracy {100 * event['validation_accuracy']:.2f} %"
        )
    return (
        f"epoch {event['epoch']}/{event['epochs']}: loss {event['train_loss']:.4f} "
        f"accuracy {100 * event['train_accuracy']:.2f} %{validation} ({event['seconds']:.1f} s)"
    )


def _data(event: dict[str, Any]) -> str:
    counts = ", ".join(f"{count:,} {part}" for part, count in event["examples"].items())
    return f"{event['name']}: {counts}; {len(event['labels'])} classes; {event['input']}"


def _start(event: dict[str, Any]) -> str:
    why = f" ({event['why']})" if event.get("why") else ""
    return f"network {event['network']}{why}: {event['parameters']:,} parameters -> {event['run']}"


def _engine(event: dict[str, Any]) -> str:
    return f"engine {event['kind']} on {event['device']}: {event['why']}"


def _test(test: dict[str, Any] | None) -> str:
    if not test:
        return "no test part"
    low, high = (100 * end for end in test["interval"])
    return (
        f"test accuracy {100 * test['accuracy']:.2f} % "
        f"(95 %: {low:.2f} to {high:.2f}, {test['examples']:,} examples)"
    )


def _done(event: dict[str, Any]) -> str:
    beside = event.get("baseline")
    baseline = f"; {beside['name']} {100 * beside['accuracy']:.2f} %" if beside else ""
    return f"{event['run']}: {_test(event['test'])}{baseline}"


_LINES = {
    "data": _data,
    "start": _start,
    "engine": _engine,
    "epoch": _epoch,
    "note": lambda event: f"note: {event['text']}",
    "warning": lambda event: f"warning: {event['text']}",
    "fold": lambda event: _test(event["test"]),
    "compare": lambda event: _test(event["test"]),
    "done": _done,
}
