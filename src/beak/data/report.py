"""What was found out about a data set before training, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

NOTE, WARNING, SUMMARY = "note", "warning", "summary"
FILES_SHOWN = 5


def printable(text: str) -> str:
    r"""Text with question marks for what would break a line or a terminal.

    >>> printable("a\nb.png")
    'a?b.png'
    """
    return "".join(c if c.isprintable() else "?" for c in text)


@dataclass(frozen=True)
class Finding:
    """One thing to know: a line of text, and the files it is about.

    >>> Finding("warning", "2 files cannot be read", ("a.jpg", "b.jpg")).line()
    '2 files cannot be read: a.jpg, b.jpg'
    """

    level: str
    """"note", "warning" (with ``strict`` it ends the loading) or "summary": what the data set's
    counts, labels and input say too, for a reader of the findings alone."""
    text: str
    files: tuple[str, ...] = ()

    def line(self, shown: int = FILES_SHOWN) -> str:
        """The text with the first few files."""
        if not self.files:
            return printable(self.text)
        more = f" and {len(self.files) - shown} more" if len(self.files) > shown else ""
        return printable(f"{self.text}: {', '.join(self.files[:shown])}{more}")


@dataclass(frozen=True)
class Report:
    """All findings, in the order in which they were made."""

    findings: tuple[Finding, ...] = ()

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What should be looked at."""
        return tuple(f for f in self.findings if f.level == WARNING)

    @property
    def notes(self) -> tuple[Finding, ...]:
        """What was chosen, and what is worth knowing."""
        return tuple(f for f in self.findings if f.level == NOTE)

    def lines(self, summary: bool = True) -> list[str]:
        """One line a finding, warnings marked; without ``summary``, where that is told already."""
        return [
            ("warning: " if f.level == WARNING else "") + f.line()
            for f in self.findings
            if summary or f.level != SUMMARY
        ]

    def to_json(self) -> list[dict[str, Any]]:
        """A list of {"level", "text", "files"}."""
        return [{"level": f.level, "text": f.text, "files": list(f.files)} for f in self.findings]
