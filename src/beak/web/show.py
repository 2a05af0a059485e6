"""``beak.look``: the page from Python, in a notebook where there is one, else in the browser."""

from __future__ import annotations

import os
import sys
from typing import Any

from beak.runs.run import Run, load
from beak.web.session import Session


def look(
    run: Any,
    input: Any = None,
    *,
    data: str | None = None,
    height: int | None = None,
) -> Any:
    """Look into a trained network, as ``beak look`` does.

    ``run``: as ``beak.load`` gives it, its path, or a ``torch.nn.Module``, of which the parts that
    beak has no layers for are boxes with their values. ``input``: a raw input to begin with (path,
    array, text, samples); of a module, one tensor that it takes. ``data``: a source of examples;
    None is what the run was trained on.
    In a notebook (extra ``notebook``) returns a widget, ``height`` pixels high; elsewhere serves
    the page to this machine until Ctrl-C and returns None.

    Raises UsageError and RunError where there is no such run, DataError where the input cannot be
    read.
    """
    from beak.web.widget import HEIGHT, widget

    if _is_module(run):
        from beak.exchange.torch_look import module_as_run

        run, input = module_as_run(run, input)
    session = Session(run if isinstance(run, Run) else load(run), data)
    place = ""
    if input is not None:
        mark = session.given(input)
        session.hold(mark)
        place = f"#input={mark}"
    if in_notebook():
        return widget(session, place, height or HEIGHT)
    return _serve(session, place)


def _is_module(run: Any) -> bool:
    """Whether it is PyTorch's, which then is imported already."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(run, torch.nn.Module)


def _serve(session: Session, place: str) -> None:
    import webbrowser

    from beak.web.server import serve

    served = serve(session)

    def ready() -> None:
        print(f"{served.address}{place}  Ctrl-C stops it", flush=True)
        if has_browser():
            webbrowser.open(served.address + place)

    served.run(ready)


def in_notebook() -> bool:
    """Whether a notebook runs this: Jupyter, Colab, VS Code or marimo."""
    ipython, marimo = sys.modules.get("IPython"), sys.modules.get("marimo")
    shell = ipython.get_ipython() if ipython is not None else None
    if getattr(shell, "kernel", None) is not None:
        return True
    return bool(marimo is not None and marimo.running_in_notebook())


def has_browser() -> bool:
    """Whether there is a screen to open a browser on."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
