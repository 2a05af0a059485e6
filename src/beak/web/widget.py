"""The page as a widget in a notebook: the same page in a frame, answered by the kernel."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from beak.errors import MissingExtraError
from beak.web.alone import html_with
from beak.web.app import PAGE, make_app
from beak.web.bundle import as_function, bundle
from beak.web.session import Session

HEIGHT = 720


def widget(session: Session, place: str = "", height: int = HEIGHT) -> Any:
    """An anywidget of the page. ``place``: where it opens, as the page's address has it.

    Raises MissingExtraError without anywidget.
    """
    try:
        import anywidget
    except ImportError:
        raise MissingExtraError("the page in a notebook", "notebook") from None
    made = anywidget.AnyWidget(_esm=module(place, height))
    answers = Answers(session)

    def hear(_: Any, content: Any, buffers: Any) -> None:
        body = bytes(buffers[0]) if content.get("given") and buffers else None
        status, told = answers.ask(str(content.get("address", "")), body)
        made.send({"number": content.get("number"), "status": status}, buffers=[told])

    made.on_msg(hear)
    return made


def module(place: str, height: int) -> str:
    """The widget's JavaScript, the whole page within it."""
    begun = f"<script>history.replaceState(null, '', {json.dumps(place or '#')});</script>"
    text = _page().replace("<title>", f'<base href="about:srcdoc">\n{begun}\n<title>', 1)
    own = (PAGE / "alone/notebook.js").read_text(encoding="utf-8")
    return f"const page = {json.dumps(text)}, height = {int(height)};\n{own}"


@cache
def _page() -> str:
    return html_with(as_function(bundle(PAGE, "alone/frame.js")), content=None)


class Answers:
    """The application, asked without a server."""

    def __init__(self, session: Session) -> None:
        self._app = make_app(session)
        self._pool = ThreadPoolExecutor(1, "beak-look")  # a notebook's own loop is running

    def ask(self, address: str, body: bytes | None) -> tuple[int, bytes]:
        """The status and the bytes of what the page asks for; ``body`` None is a GET."""
        return self._pool.submit(lambda: asyncio.run(self._answered(address, body))).result()

    async def _answered(self, address: str, body: bytes | None) -> tuple[int, bytes]:
        path, _, query = address.partition("?")
        status, parts = 500, [b""]

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body or b"", "more_body": False}

        async def send(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            parts.append(message.get("body", b""))

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET" if body is None else "POST",
            "scheme": "http",
            "path": f"/{path}",
            "raw_path": f"/{path}".encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(b"host", b"notebook")],
            "client": None,
            "server": None,
        }
        await self._app(scope, receive, send)
        return status, b"".join(parts)
