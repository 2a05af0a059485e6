"""``beak predict`` for networks that hear: time lines of long recordings, and the microphone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from beak.cli.console import make_console, note, on_terminal, percent, plain, print_json
from beak.errors import UsageError

if TYPE_CHECKING:
    from beak.runs.hearing import Heard
    from beak.runs.model import Model
    from beak.runs.predictor import Predictor

LONG = 2.0
"""A recording so many times as long as an input gets a time line."""
SURE = 0.5
"""What is likelier than this is said to people as it comes from the microphone, and is bright in a
time line.
"""


def hear(
    model: Model,
    inputs: tuple[str, ...],
    microphone: bool,
    *,
    threads: int | None,
    exact: bool,
    as_json: bool,
) -> bool:
    """Answer the microphone, or one long recording; False where neither is asked for."""
    from beak.runs.predictor import Predictor

    if microphone:
        if inputs:
            raise UsageError(f"--microphone takes no INPUT, such as '{inputs[0]}'")
        listen(Predictor(model, threads=threads, exact=exact), as_json)
        return True
    if len(inputs) != 1 or not Path(inputs[0]).is_file():
        return False
    from beak.runs.hearing import samples_of, spec_of, timeline

    predictor = Predictor(model, threads=threads, exact=exact)
    spec = spec_of(predictor)
    samples = samples_of(predictor, inputs[0])
    if len(samples) <= LONG * spec.samples:
        return False
    if not as_json:
        note(f"{inputs[0]}: {len(samples) / spec.rate:.1f} s; what is heard when:")
    for heard in timeline(predictor, samples):
        say(heard, as_json, {"input": inputs[0]})
    return True


def say(heard: Heard, as_json: bool, more: dict[str, Any]) -> None:
    """One stretch of time and what is heard in it."""
    if as_json:
        print_json({**more, **heard.to_json()})
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
                    say(heard, as_json, {})
                last = heard.label if sure else ""
    except KeyboardInterrupt:
        return
