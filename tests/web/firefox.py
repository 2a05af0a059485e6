"""A real Firefox for the tests that need one, over WebDriver BiDi: no driver stands between."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
QUIET = {
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage": "about:blank",
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "permissions.default.camera": 1,
    "permissions.default.microphone": 1,
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,  # a webcam and a microphone that are always there
    "remote.active-protocols": 1,
}


class FirefoxError(AssertionError):
    """What Firefox said about a script or a command."""


class Tab:
    """One tab: go somewhere, ask it, press, point, look at it."""

    def __init__(self, socket: Any) -> None:
        self._socket, self._count = socket, itertools.count(1)
        self.wrong: list[str] = []
        self._ask("session.new", capabilities={})
        self._ask("session.subscribe", events=["log.entryAdded"])
        self._tab = self._ask("browsingContext.create", type="tab")["context"]

    def _ask(self, method: str, **params: Any) -> Any:
        number = next(self._count)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            told = json.loads(self._socket.recv(timeout=60))
            if told.get("method") == "log.entryAdded" and told["params"]["level"] == "error":
                self.wrong.append(told["params"]["text"])
            if told.get("id") == number:
                if told["type"] == "error":
                    raise FirefoxError(f"{method}: {told['error']}: {told['message'][:300]}")
                return told["result"]

    def go(self, address: str, width: int = 1280, height: int = 900) -> None:
        size = {"width": width, "height": height}
        self._ask("browsingContext.setViewport", context=self._tab, viewport=size)
        self._ask("browsingContext.navigate", context=self._tab, url=address, wait="complete")

    def ask(self, expression: str) -> Any:
        """A JavaScript expression's value, as JSON carries it."""
        answer = self._ask(
            "script.evaluate",
            expression=f"(async () => JSON.stringify((await ({expression})) ?? null))()",
            target={"context": self._tab},
            awaitPromise=True,
        )
        if answer["type"] == "exception":
            raise FirefoxError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])

    def wait(self, expression: str, seconds: float = 30) -> None:
        """Until the expression is true."""
        end = time.monotonic() + seconds
        while not self.ask(expression):
            assert time.monotonic() < end, f"never: {expression}"
            time.sleep(0.05)

    def press(self, *keys: str) -> None:
        steps = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._act("key", steps)

    def point(self, *places: tuple[float, float]) -> None:
        """Down at the first place, along the others, up."""
        moves = [{"type": "pointerMove", "x": round(x), "y": round(y)} for x, y in places]
        down, up = ({"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp"))
        self._act("pointer", [moves[0], down, *moves[1:], up])

    def _act(self, kind: str, steps: list[dict[str, Any]]) -> None:
        action = {"type": kind, "id": kind, "actions": steps}
        self._ask("input.performActions", context=self._tab, actions=[action])

    def picture(self) -> str:
        """What is seen, a PNG in base64."""
        told: str = self._ask("browsingContext.captureScreenshot", context=self._tab)["data"]
        return told


@contextmanager
def firefox() -> Iterator[Tab]:
    """A Firefox with a profile of its own. Needs the package websockets."""
    from websockets.sync.client import connect

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        lines = [f"user_pref({json.dumps(n)}, {json.dumps(v)});" for n, v in QUIET.items()]
        Path(profile, "user.js").write_text("\n".join(lines))
        command = [FIREFOX, "--headless", "--no-remote", "--remote-debugging-port", "0"]
        log = Path(profile, "said.log")
        with log.open("w") as said:
            started = subprocess.Popen(
                [*command, "--profile", profile], stdout=said, stderr=subprocess.STDOUT
            )
        try:
            with connect(f"{listening(started, log)}/session", max_size=None, proxy=None) as socket:
                yield Tab(socket)
        finally:
            started.terminate()
            started.wait(20)


def listening(started: subprocess.Popen[bytes], log: Path) -> str:
    """Where it says that it listens."""
    end = time.monotonic() + 60
    while started.poll() is None and time.monotonic() < end:
        if found := re.search(r"BiDi listening on (ws://\S+)", log.read_text()):
            return found[1]
        time.sleep(0.05)
    raise FirefoxError(f"Firefox does not listen: {log.read_text()[-400:]}")
