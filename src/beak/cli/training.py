"""How a training shows itself: what the data are, a bar that moves, the epochs, the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beak.cli.console import (
    count,
    duration,
    how_many,
    make_console,
    note,
    percent,
    plain,
    print_json,
)
from beak.cli.meter import Meter, waiting
from beak.cli.telling import recipe_lines, shortened
from beak.data.kinds import kind_of

if TYPE_CHECKING:
    from rich.live import Live

Event = dict[str, Any]

LABEL_WIDTH = 11
EPOCH_COLUMNS = (("epoch", 9), ("loss", 10), ("right", 9), ("loss", 12), ("right", 9), ("time", 10))


class JsonView:
    """One object a line on standard output; notes and warnings on standard error."""

    def __init__(self) -> None:
        self.run: str | None = None
        self.done = False

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

    def progress(self, done: int, total: int) -> None:
        """Say nothing: a program waits for events."""


class TrainingView:
    """The screen of ``beak train``; without the moving bar where no person looks."""

    def __init__(self) -> None:
        self.console = make_console()
        self.live: Live | None = None
        self.run: str | None = None
        self.done = False
        self.examples = 0
        self.epochs = 0
        self.thing = "picture"
        """What one example is called."""
        self.meter = Meter(0, 0)
        self.headed: str | None = None

    def __enter__(self) -> TrainingView:
        return self

    def __exit__(self, *_: object) -> None:
        self.end_bar()

    def listen(self, event: Event) -> None:
        """Show one event of ``beak.train``; kinds that have no place here are left out."""
        self.done = self.done or event["event"] == "done"
        self.run = event.get("run") or self.run
        handler = getattr(self, f"show_{event['event']}", None)
        if handler is not None:
            handler(event)

    def show_data(self, event: Event) -> None:
        """What was found, and how a picture becomes the network's input."""
        self.end_bar()
        parts, labels = event["examples"], event["labels"]
        self.examples = parts.get("train", 0)
        self.thing = kind_of(event.get("kind", "pictures")).one
        total = how_many(sum(parts.values()), self.thing)
        self.fact("data", f"{event['name']}: {total}, {how_many(len(labels), 'label')}")
        self.fact("", shortened(labels, 12), "dim")
        self.fact("", ", ".join(f"{count(n)} {name}" for name, n in parts.items()), "dim")
        for text in (f["text"] for f in event["findings"] if f["level"] == "note"):
            self.fact("", text, "dim")
        self.fact("input", event["input"])

    def progress(self, done: int, total: int) -> None:
        """Move the bar of what comes before the first event: looking, downloading, decoding."""
        if not self.console.is_terminal:
            return
        if total:
            self.bar().update(waiting("getting the data ready", done / total))
        else:
            self.bar().update(f" looking for files: {how_many(done, 'file')} seen")

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
            f"{count(event['multiply_adds'])} multiply-adds a {self.thing}",
        )
        if event["why"]:
            self.fact("", event["why"].removeprefix(f"{event['network']}: "), "dim")
        first, *more = recipe_lines(event["recipe"])
        self.fact("recipe", first)
        for line in (*more, f"whole: {event['run']}/recipe.toml"):
            self.fact("", line, "dim")
        self.fact("run", event["run"])
        self.epochs = event["epochs"]
        self.examples = min(self.examples, event["recipe"].get("sample") or self.examples)

    def show_engine(self, event: Event) -> None:
        """What computes, and why."""
        many = f", {event['processes']} processes" if "processes" in event else ""
        self.fact("engine", f"{event['kind']} on {event['device']}{many}: {event['why']}", "dim")

    def show_step(self, event: Event) -> None:
        """Move the bar."""
        self.begin(event)
        self.meter.step(event)
        if self.console.is_terminal:
            self.bar().update(self.meter.line(self.console.width))

    def show_epoch(self, event: Event) -> None:
        """A line for the epoch, under a heading before the first one."""
        self.begin(event)
        self.console.print(epoch_line(event))

    def begin(self, event: Event) -> None:
        """A heading before the first news of each training: of the network, a fold, another."""
        title = title_of(event)
        if title != self.headed:
            self.headed = title
            self.meter = Meter(self.epochs, self.examples, things=self.thing + "s")
            self.console.print(f"\n {plain(title)}" if title else "", style="label")
            self.console.print(epoch_heading(), style="dim")

    def show_fold(self, event: Event) -> None:
        """How one fold did."""
        self.fact(
            "fold", f"{event['fold']} of {event['folds']}: {tested(event['test'], self.thing)}"
        )

    def show_compare(self, event: Event) -> None:
        """How the other network did."""
        parameters = how_many(event["parameters"], "parameter")
        self.fact(event["name"], f"{parameters}: {tested(event['test'], self.thing)}")

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
        """The result, and what stands beside it."""
        self.end_bar()
        self.console.print()
        self.fact("result", tested(event["test"], self.thing), "good")
        for line in more_of(event["test"]):
            self.fact("", line)
        baseline, other = event["baseline"], event.get("compare")
        if other:
            self.fact("", f"{tested(other['test'], self.thing)} with {other['name']}", "dim")
        if baseline:
            name = "a linear classifier" if baseline["name"] == "linear" else baseline["name"]
            self.fact("", f"{percent(baseline['accuracy'])} with {name}", "dim")
        self.fact("time", duration(event["seconds"]), "dim")

    def fact(self, label: str, text: str, style: str = "") -> None:
        """'label      text': wrapped under itself on a terminal, else one line."""
        from rich.table import Table
        from rich.text import Text

        text = plain(text)
        name = Text(label, style if label in ("note", "warning") else "label")
        if not self.console.is_terminal:
            self.console.print(f" {label:{LABEL_WIDTH}}{text}".rstrip())
            return
        row = Table.grid(padding=0)
        row.add_column(width=1)
        row.add_column(width=LABEL_WIDTH, no_wrap=True)
        row.add_column(overflow="fold")
        row.add_row("", name, Text(text, style))
        self.console.print(row)


def tested(test: Event | None, thing: str) -> str:
    """'98.9 % of 180 test pictures right (95 % interval 96.0 to 99.7 %)'."""
    if not test:
        return "not tested: there is no test part"
    low, high = test["interval"]
    return (
        f"{percent(test['accuracy'])} of {how_many(test['examples'], f'test {thing}')} right "
        f"(95 % interval {100 * low:.1f} to {percent(high)})"
    )


def more_of(test: Event | None) -> list[str]:
    """Of many classes, the five likeliest; of boards, the mean over all symmetries."""
    found, averaged = [], (test or {}).get("averaged")
    if test and test.get("top5") is not None:
        found.append(f"{percent(test['top5'])} among the five likeliest")
    if averaged:
        shares = f"{percent(averaged['accuracy'])}, {percent(averaged['top5'])} among five"
        found.append(f"{shares}: mean of the answers to {averaged['views']} symmetries")
    return found


def title_of(event: Event) -> str:
    """Which of several trainings an event is about; empty for the network itself."""
    fold = f"fold {event['fold']} of {event['folds']}" if "fold" in event else ""
    beside = f"beside it: {event['compare']}" if "compare" in event else ""
    return ", ".join(part for part in (beside, fold) if part)


def epoch_heading() -> str:
    """The names over the epochs' numbers, in two lines."""
    widths = [width for _, width in EPOCH_COLUMNS]
    groups = (
        " " * widths[0] + "training".rjust(sum(widths[1:3])) + "validation".rjust(sum(widths[3:5]))
    )
    return groups + "\n" + "".join(name.rjust(width) for name, width in EPOCH_COLUMNS)


def epoch_line(event: Event) -> str:
    """One epoch's numbers, in columns."""
    right = event["validation_accuracy"]
    cells = [
        f"{event['epoch']}/{event['epochs']}",
        f"{event['train_loss']:.4f}",
        percent(event["train_accuracy"]),
        "" if event["validation_loss"] is None else f"{event['validation_loss']:.4f}",
        "" if right is None else percent(right),
        f"{event['seconds']:.1f} s",
    ]
    return "".join(cell.rjust(width) for cell, (_, width) in zip(cells, EPOCH_COLUMNS, strict=True))
