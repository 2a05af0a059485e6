"""``beak explain``: what goes on inside a trained network, as a picture, a page or numbers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from beak.cli.console import make_console, note, print_json
from beak.cli.meter import waiting
from beak.cli.options import command, data_dir_option, json_option, threads_option
from beak.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from beak.lens.explanation import Explanation
    from beak.runs.run import Run

ENDINGS = (".png", ".html", ".json")


@command
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("input", metavar="[INPUT]", required=False)
@click.option("--what", default="moved", metavar="NAME", help="Which explanation; see below.")
@click.option("--layer", metavar="NAME", help="Of which layer, as beak summary names it.")
@click.option("--cell", metavar="C,Y,X", help="arithmetic: which number of the layer.")
@click.option("--method", metavar="NAME", help="moved: integrated, gradient, cam or occlusion.")
@click.option("--answer", metavar="LABEL", help="moved: of which answer (the strongest).")
@click.option("--units", metavar="N,N,…", help="looks-for: which filters, units or answers.")
@click.option("--l1", type=float, metavar="X", help="looks-for: price of each number, as 0.5.")
@click.option("--smooth", type=float, metavar="X", help="looks-for: blur after each step, as 0.1.")
@click.option("--steps", type=click.IntRange(min=1), metavar="N", help="looks-for: steps (100).")
@click.option("--seed", type=int, metavar="S", help="looks-for: of the noise it starts from.")
@click.option("--rows", metavar="A:B", help="twin: which outputs.")
@click.option("--columns", metavar="A:B", help="twin: which inputs.")
@click.option("--shift", type=click.IntRange(min=1), metavar="N", help="forgives: how far (1).")
@click.option("--k", type=click.IntRange(min=1), metavar="K", help="patches: of each filter (9).")
@click.option("--move", type=click.IntRange(min=1), metavar="N", help="Go: before move N.")
@click.option("--part", metavar="NAME", help="patches, alike: train, validation, test or all.")
@click.option("--most", type=click.IntRange(min=1), metavar="N", help="patches, alike: examples.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write it: FILE.png, FILE.html (opens offline) or FILE.json.",
)
@threads_option
@data_dir_option
@json_option
def explain(
    run: Path,
    input: str | None,
    what: str,
    out: Path | None,
    move: int | None,
    threads: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Look into a trained network.

    RUN is a run directory or its model.safetensors; INPUT one raw input, as for beak predict.

    \b
    --what NAME is one of
      moved        what moved the answer, place by place
      activations  every layer's output
      arithmetic   which inputs times which weights make a number
      forgives     how far each layer moves when the input shifts by a step
    and without an INPUT
      filters      a layer's weights as patterns
      twin         a convolution as the matrix of a fully connected layer
      looks-for    the input that excites a filter, a unit or an answer most
    and with a source of examples as INPUT, as in beak train
      patches      for each filter, where it answers most
      alike        dead units, filters alike, what is lost without each
    """  # noqa: D301
    from beak.lens.ask import WHAT
    from beak.runs.run import load

    if what not in WHAT:
        raise UsageError(f"--what '{what}' is not known{did_you_mean(what, WHAT)}")
    if out is not None and out.suffix.lower() not in ENDINGS:
        raise UsageError(f"--out {out}: a name that ends in .png, .html or .json was wanted")
    if out is not None and not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder '{out.parent}'")
    given = checked_options(what, options)
    trained = load(run, threads=threads)
    raw = raw_input(trained, input, what)
    if move is not None:
        if trained.spec.kind != "go" or WHAT[what].needs != "input":
            raise UsageError("--move is for one game record and a network that plays Go")
        raw = (raw, move)
    told = ask(trained, raw, what, given)
    for line in told.facts.get("input", {}).get("notes", ()):
        note(str(line))
    if out is not None:
        write(told, out, trained, raw)
    if as_json:
        print_json(told.to_json())
        return
    from beak.cli.explain_text import print_explanation

    print_explanation(told)
    if out is not None:
        note(f"written: {out}")


def ask(trained: Run, raw: Any, what: str, given: dict[str, Any]) -> Explanation:
    """The explanation, on a terminal with a bar while examples go by."""
    from beak.lens.ask import WHAT
    from beak.lens.ask import explain as explain_run

    if WHAT[what].needs != "examples" or not sys.stderr.isatty():
        return explain_run(trained, raw, what, **given)
    from rich.live import Live

    with Live(console=make_console(errors=True), transient=True) as live:

        def listen(done: int, total: int) -> None:
            live.update(waiting("going through the examples", done / total))

        return explain_run(trained, raw, what, listen=listen, **given)


def checked_options(what: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, as the lens takes them; UsageError for one of another."""
    from beak.lens.ask import WHAT

    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in WHAT[what].options and name != "data_dir":
            takers = ", ".join(key for key, row in WHAT.items() if name in row.options)
            raise UsageError(f"--{name} does not go with --what {what}; it is for {takers}")
    if "data_dir" not in WHAT[what].options:
        given.pop("data_dir", None)
    for name in ("cell", "units"):
        if name in given:
            given[name] = whole_numbers(name, given[name], ",")
    for name in ("rows", "columns"):
        if name in given:
            given[name] = whole_numbers(name, given[name], ":", 2)
    return given


def whole_numbers(name: str, text: str, between: str, count: int | None = None) -> tuple[int, ...]:
    """'0,3,4' -> (0, 3, 4).

    >>> whole_numbers("rows", "0:128", ":", 2)
    (0, 128)
    """
    words = text.split(between)
    if not all(word.strip().isdecimal() for word in words) or count not in (None, len(words)):
        shown = between.join("05"[:2] if count == 2 else "034")
        raise UsageError(f"--{name} '{text}': whole numbers such as {shown} were wanted")
    return tuple(int(word) for word in words)


def raw_input(trained: Run, text: str | None, what: str) -> Any:
    """What INPUT stands for: a path, bytes, a text, a source; UsageError where it is missing."""
    from beak.cli.paths import nearest_path
    from beak.lens.ask import WHAT

    needs = WHAT[what].needs
    if not needs:
        if text is not None:
            raise UsageError(f"--what {what} looks at the network alone; leave '{text}' out")
        return None
    if text is None:
        one = "an input, such as cat.jpg" if needs == "input" else "a source, such as digits"
        raise UsageError(f"--what {what} needs {one}: beak explain RUN INPUT --what {what}")
    if needs == "examples":
        return text
    if text == "-":
        from beak.cli.predict import standard_input

        return standard_input()
    path = Path(text)
    if path.is_dir():
        raise UsageError(f"'{text}' is a folder; one input is wanted, as {path / 'cat.jpg'}")
    if path.exists():
        return path
    if trained.spec.kind == "texts":
        return text
    raise UsageError(f"no file '{text}'{nearest_path(path)}")


def write(told: Explanation, out: Path, trained: Run, raw: Any) -> None:
    """The explanation as a file, of the kind that its name says."""
    import json

    ending = out.suffix.lower()
    if ending == ".json":
        out.write_text(json.dumps(told.to_json(), ensure_ascii=False) + "\n", encoding="utf-8")
        return
    from beak.cli.explain_pictures import draw

    inputs = trained.opened(raw).inputs[0] if "input" in told.facts else None
    sheet = draw(told, inputs, trained.spec.bounds)
    if ending == ".png":
        sheet.save(out)
        return
    from beak.cli.explain_page import page

    out.write_text(page(told, sheet, trained.model.name), encoding="utf-8")
