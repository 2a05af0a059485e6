"""How a training shows itself: what the data are, a bar that moves, the epochs, the result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from beak.cli.console import count, duration, how_many, make_console, note, percent, print_json
from beak.cli.meter import Meter

if TYPE_CHECKING:
    from rich.live import Live

Event = dict[str, Any]

LABEL_WIDTH = 11
EPOCH_COLUMNS = (("epoch", 9), ("loss", 10), ("right", 9), ("loss", 12), ("right", 9), ("time", 10))


class JsonView:
    """One object a line on standard output; notes and warnings on standard error."""

    def __init__(self) -> None:
        self.run: str | None = None

    def __enter__(self) -> JsonView:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def listen(self, event: Event) -> None:
        """Print one event, but for the steps."""
        self.run = event.get("run") or self.run
        if event["event"] in ("note", "warning"):
            note(event["text"], event["event"])
        elif event["event"] != "step":
            print_json(event)


class TrainingView:
    """The screen of ``beak train``; without the moving bar where no person looks."""

    def __init__(self) -> None:
        self.console = make_console()
        self.live: Live | None = None
        self.run: str | None = None
        self.examples = 0
        self.meter = Meter(0, 0)
        self.headed = False

    def __enter__(self) -> TrainingView:
        return self

    def __exit__(self, *_: object) -> None:
        self.end_bar()

    def listen(self, event: Event) -> None:
        """Show one event of ``beak.train``; kinds that have no place here are left out."""
        self.run = event.get("run") or self.run
        handler = getattr(self, f"show_{event['event'].replace('-', '_')}", None)
        if handler is not None:
            handler(event)

    def show_data(self, event: Event) -> None:
        """What was found, and how a picture becomes the network's input."""
        parts, labels = event["parts"], event["labels"]
        self.examples = parts.get("train", 0)
        total = how_many(sum(parts.values()), "picture")
        self.fact("data", f"{event['name']}: {total}, {how_many(len(labels), 'label')}")
        self.fact("", shortened(labels, 12), "dim")
        self.fact("", ", ".join(f"{count(n)} {name}" for name, n in parts.items()), "dim")
        self.fact("input", event["input"])
        for finding in event.get("findings", ()):
            self.fact(finding["level"], finding["text"], style_of(finding["level"]))

    def show_note(self, event: Event) -> None:
        """A line among the others."""
        self.fact("note", event["text"], "dim")

    def show_warning(self, event: Event) -> None:
        """A line that asks for attention."""
        self.fact("warning", event["text"], "warning")

    def show_start(self, event: Event) -> None:
        """The network and why, and the recipe in short."""
        self.fact(
            "network",
            f"{event['network']}, {how_many(event['parameters'], 'parameter')}, "
            f"{count(event['multiply_adds'])} multiply-adds a picture",
        )
        if event.get("why"):
            self.fact("", event["why"], "dim")
        self.fact("recipe", event["recipe"])
        if self.run:
            self.fact("run", self.run)
        self.meter = Meter(event["epochs"], self.examples)
        self.headed = False

    def show_step(self, event: Event) -> None:
        """Move the bar."""
        self.meter.step(event)
        if self.console.is_terminal:
            self.bar().update(self.meter.line(self.console.width))

    def show_epoch(self, event: Event) -> None:
        """A line for the epoch, under a heading before the first one."""
        if not self.headed:
            self.console.print()
            self.console.print(epoch_heading(), style="dim")
            self.headed = True
        self.console.print(epoch_line(event, self.meter.epochs))

    def bar(self) -> Live:
        """The live line at the bottom, begun when it is first needed."""
        if self.live is None:
            from rich.live import Live

            self.live = Live(console=self.console, refresh_per_second=8, transient=True)
            self.live.start()
        return self.live

    def end_bar(self) -> None:
        """Take the live line away."""
        if self.live is not None:
            self.live.stop()
            self.live = None

    def show_done(self, event: Event) -> None:
        """The result, the baseline beside it."""
        self.end_bar()
        self.console.print()
        test, baseline = event.get("test"), event.get("baseline")
        if test:
            low, high = test["interval"]
            pictures = how_many(test["examples"], "test picture")
            self.fact(
                "result",
                f"{percent(test['accuracy'])} of {pictures} right "
                f"(95 % interval {100 * low:.1f} to {percent(high)})",
                "good",
            )
        if baseline:
            name = "a linear classifier" if baseline["name"] == "linear" else baseline["name"]
            self.fact("baseline", f"{percent(baseline['accuracy'])} with {name}", "dim")
        self.fact("time", duration(event["seconds"]), "dim")

    def fact(self, label: str, text: str, style: str = "") -> None:
        """'label      text', long text wrapped under itself."""
        from rich.table import Table
        from rich.text import Text

        row = Table.grid(padding=0)
        row.add_column(width=1)
        row.add_column(width=LABEL_WIDTH, no_wrap=True)
        row.add_column(overflow="fold")
        row.add_row(
            "", Text(label, style if label in ("note", "warning") else "label"), Text(text, style)
        )
        self.console.print(row)


def style_of(level: str) -> str:
    """The colour of a finding."""
    return "warning" if level == "warning" else "dim"


def shortened(words: Sequence[str], most: int) -> str:
    """'cat, dog, … (120 in all)'."""
    if len(words) <= most:
        return ", ".join(words)
    return f"{', '.join(words[:most])}, … ({count(len(words))} in all)"


def epoch_heading() -> str:
    """The names over the epochs' numbers, in two lines."""
    widths = [width for _, width in EPOCH_COLUMNS]
    groups = (
        " " * widths[0] + "training".rjust(sum(widths[1:3])) + "validation".rjust(sum(widths[3:5]))
    )
    return groups + "\n" + "".join(name.rjust(width) for name, width in EPOCH_COLUMNS)


def epoch_line(event: Event, epochs: int) -> str:
    """One epoch's numbers, in columns."""
    right = event["validation_accuracy"]
    cells = [
        f"{event['epoch']}/{epochs}",
        f"{event['train_loss']:.4f}",
        percent(event["train_accuracy"]),
        "" if event["validation_loss"] is None else f"{event['validation_loss']:.4f}",
        "" if right is None else percent(right),
        f"{event['seconds']:.1f} s",
    ]
    return "".join(cell.rjust(width) for cell, (_, width) in zip(cells, EPOCH_COLUMNS, strict=True))
