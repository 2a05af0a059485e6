"""A run's page as one HTML file: it opens from disk and computes in itself, without a server."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from beak.errors import UsageError
from beak.lens.cam import cam_layers
from beak.network.network import Network, Node
from beak.network.opaque import refuse_boxes
from beak.network.receptive import receptive_fields
from beak.network.windows import Windowed
from beak.web.app import PAGE
from beak.web.bundle import as_function, bundle
from beak.web.kept import told_beforehand
from beak.web.session import Seen, Session
from beak.web.telling import network_json

LARGEST_FILE = 64 << 20
"""Bytes. A browser holds the weights several times while it reads them."""
CONTENT = (
    "default-src 'none'; script-src 'unsafe-inline' blob:; worker-src blob:; style-src "
    "'unsafe-inline'; img-src blob: data:; media-src blob:; connect-src 'none'; base-uri 'none'; "
    "form-action 'none'"
)
"""The file asks nobody for anything: a browser sees to it."""


def page_alone(session: Session, inputs: Sequence[str] = ()) -> str:
    """The whole page for a run, with these inputs (names of ``session.seen``) to choose from.

    Raises UsageError where the file would be too large for a browser, or has layers that only ONNX
    computes.
    """
    refuse_boxes(
        session.run.network.nodes, "a file cannot compute it by itself; beak look RUN serves it"
    )
    size = sum(array.nbytes for array in session.run.model.parameters.values())
    check_size(size * 4 // 3, session.run.model.name)
    told = json.dumps(payload(session, inputs), ensure_ascii=False, allow_nan=False, default=float)
    text = html_with(
        as_function(bundle(PAGE, "alone/main.js")),
        _script(engine_script(), 'id="engine"'),
        _script(told, 'id="run" type="application/json"'),
    )
    check_size(len(text.encode()), session.run.model.name)
    return text


def engine_script() -> str:
    """What computes in the page, as a script that sets ``beakEngine``."""
    return f"globalThis.beakEngine = {as_function(bundle(PAGE, 'alone/engine.js'))};"


def check_size(size: int, name: str) -> None:
    """UsageError where a file of so many bytes is too large."""
    if size > LARGEST_FILE:
        raise UsageError(
            f"--html: the file of {name} would have {size / 1e6:,.0f} MB; up to "
            f"{LARGEST_FILE / 1e6:,.0f} MB a browser opens well; beak look serves it instead"
        )


def html_with(script: str, *before: str, content: str | None = CONTENT) -> str:
    """The page's HTML with its styles and icon inside, these elements, and then the script."""
    text = (PAGE / "index.html").read_text(encoding="utf-8")
    icon = base64.b64encode((PAGE / "icon.svg").read_bytes()).decode()

    def styles(found: re.Match[str]) -> str:
        return f"<style>\n{(PAGE / found[1]).read_text(encoding='utf-8')}</style>"

    text = text.replace('href="page/icon.svg"', f'href="data:image/svg+xml;base64,{icon}"')
    text = re.sub(r'<link rel="stylesheet" href="page/([\w.-]+)">', styles, text)
    text = re.sub(r'<script type="module" src="[^"]*"></script>\n', "", text)
    if content is not None:
        policy = f'<meta http-equiv="content-security-policy" content="{html.escape(content)}">'
        text = text.replace("<title>", f"{policy}\n<title>", 1)
    last = "\n".join([*before, _script(script, 'type="module"')])
    return text.replace("</body>", f"{last}\n</body>")


def _script(text: str, attributes: str) -> str:
    """An element with text that cannot end it early."""
    if "json" in attributes:
        text = text.replace("<", r"\u003c")
    if re.search(r"</script|<!--", text, re.I):
        raise UsageError("a module holds </script> or <!--, which would end it early")
    return f"<script {attributes}>\n{text}\n</script>"


def payload(session: Session, inputs: Sequence[str] = ()) -> dict[str, Any]:
    """All that the page knows: the network, its weights, how inputs are prepared, some inputs."""
    run = session.run
    told, reasons = told_beforehand(session)
    known = {"run": "", "others": {}, "examples": bool(inputs), "alone": True}
    return {
        **computed(run.network, run.model.parameters),
        "network": {**network_json(session), **known, "units": "alike" not in reasons},
        "spec": run.spec.to_json(),
        "inputs": [_seen(session.seen(name)) for name in inputs],
        "told": told,
        "reasons": reasons,
    }


def computed(network: Network, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A network as the page computes it: its nodes, and all weights in one row (base64)."""
    flat: list[Any] = [np.zeros(0, "<f4")]
    nodes, at = [], 0
    for node in network.nodes:
        own = {}
        for name in node.parameters:
            array = np.asarray(parameters[name], "<f4")
            own[name.rpartition(".")[2]] = {"at": at, "shape": list(array.shape)}
            flat.append(array.ravel())
            at += array.size
        nodes.append({**node_json(node), "parameters": own})
    fields = {
        name: [[f.size, f.jump, f.start, f.places] for f in own]
        for name, own in receptive_fields(network).items()
    }
    return {
        "input": list(network.input),
        "nodes": nodes,
        "fields": fields,
        "cam": _cam(network),
        "weights": _packed(np.concatenate(flat)),
    }


def _cam(network: Network) -> dict[str, Any]:
    try:
        return {"layers": cam_layers(network)}
    except UsageError as error:
        return {"layers": [], "error": str(error)}


def node_json(node: Node) -> dict[str, Any]:
    """A node with all that follows from shapes worked out."""
    told: dict[str, Any] = {
        "name": node.name,
        "kind": node.layer.kind,
        "inputs": list(node.inputs),
        "shapes": [list(shape) for shape in node.input_shapes],
        "output": list(node.output),
        "fields": node.layer.fields(),
    }
    if isinstance(node.layer, Windowed):
        told["geometry"] = vars(node.layer.geometry(node.input_shapes[0]))
    return told


def _seen(seen: Seen) -> dict[str, Any]:
    opened = seen.opened
    values = seen.look.inputs[0]
    words = values.dtype.kind in "iu"
    return {
        "name": opened.name if opened else seen.about.get("name", seen.name),
        "label": seen.about.get("label", ""),
        "about": dict(seen.about),
        "places": list(opened.places) if opened else list(seen.about.get("places", [])),
        "type": "i4" if words else "f4",
        "values": _packed(values.astype("<i4" if words else "<f4")),
    }


def _packed(array: Any) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
