"""``beak predict`` for networks that hear: time lines of long recordings, and the microphone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from beak.cli.console import make_console, note, on_terminal, percent, plain, print_json
from beak.errors import UsageError

if TYPE_CHECKING:
    from beak.cli.asked import Asked
    from beak.runs.hearing import Heard
    from beak.runs.predictor import Predictor

SURE = 0.5
"""What is likelier than this is said to people as it comes from the microphone, and is bright in a
time line.
"""


def hear(asked: Asked) -> None:
    """Answer the microphone, one recording, long or short, or many files."""
    from beak.cli.predict import predict_files

    if asked.microphone:
        if asked.inputs:
            raise UsageError(f"--microphone takes no INPUT, such as '{asked.inputs[0]}'")
        listen(asked.predictor(), asked.as_json)
    elif len(asked.inputs) != 1 or not Path(asked.inputs[0]).is_file() or not hear_long(asked):
        predict_files(asked)


def hear_long(asked: Asked) -> bool:
    """Answer one long recording with a time line; False where it is short."""
    from beak.runs.hearing import LONG, samples_of, spec_of, timeline

    name, spec = asked.inputs[0], spec_of(asked.model)
    samples = samples_of(asked.model, name)
    if len(samples) <= LONG * spec.samples:
        return False
    if not asked.as_json:
        note(f"{name}: {len(samples) / spec.rate:.1f} s; what is heard when:")
    for heard in timeline(asked.predictor(), samples):
        say(heard, asked.as_json, name)
    return True


def say(heard: Heard, as_json: bool, name: str | None = None) -> None:
    """One stretch of time and what is heard in it; ``name``: of the file."""
    from beak.runs.answers import told

    if as_json:
        print_json(heard.to_json() if name is None else told(name, heard.to_json()))
    elif on_terminal():
        from rich.text import Text

        line = Text(f"{heard.begin:8.2f} to {heard.end:.2f} s  ")
        line.append(plain(heard.label), "number" if heard.probability >= SURE else "dim")
        line.append(f"  {percent(heard.probability)}", "dim")
        make_console().print(line)
    else:
        share = f"{heard.probability:.4f}"
        print(f"{heard.begin:.2f}", f"{heard.end:.2f}", plain(heard.label), share, sep="\t")


def listen(predictor: Predictor, as_json: bool) -> None:
    """Say what the microphone hears until Ctrl-C."""
    from beak.cli.microphone import microphone
    from beak.runs.hearing import Listener

    listener = Listener(predictor)
    last = ""
    try:
        for i, block in enumerate(microphone(listener.spec.rate)):
            if not i and not as_json:
                note("listening; Ctrl-C stops")
            for heard in listener.feed(block):
                sure = heard.probability >= SURE
                if as_json or (sure and heard.label != last):
                    say(heard, as_json)
                last = heard.label if sure else ""
    except KeyboardInterrupt:
        return
