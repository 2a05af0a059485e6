"""Serve the page of a run: a free port, the address, the token where it is wanted."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from beak.errors import UsageError
from beak.web.session import Session

LOCAL = "127.0.0.1"


@dataclass(frozen=True)
class Served:
    """A server that is ready to run."""

    address: str
    """What to open, with the token where there is one."""
    listening: socket.socket
    app: Any

    def run(self, ready: Callable[[], None] | None = None) -> None:
        """Answer until Ctrl-C. ``ready`` is called once the server listens."""
        import uvicorn

        logging.getLogger("uvicorn.error").addFilter(_no_broken_off)
        config = uvicorn.Config(
            self.app,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
            limit_concurrency=64,
            timeout_keep_alive=15,
            ws="none",
        )
        if ready is not None:
            ready()
        try:
            uvicorn.Server(config).run(sockets=[self.listening])
        except KeyboardInterrupt:
            return
        finally:
            self.listening.close()


def _no_broken_off(record: logging.LogRecord) -> bool:
    """Whether a line of the log is worth telling: not that an answer broke off at the end."""
    broken = record.exc_info is not None and record.exc_info[0] is asyncio.CancelledError
    return not broken and "timeout graceful shutdown exceeded" not in record.getMessage()


def serve(session: Session, host: str = LOCAL, port: int = 0) -> Served:
    """Make the server ready. ``port`` 0 is a free one; hosts beyond this machine get a token.

    Raises UsageError where the address cannot be listened on.
    """
    from beak.web.app import make_app
    from beak.web.guard import Guard

    listening = listen(host, port)
    port = int(listening.getsockname()[1])
    here = is_local(host)
    token = None if here else secrets.token_urlsafe(18)
    shown = _own_name() if host in ("0.0.0.0", "::") else host.strip("[]")
    shown = f"[{shown}]" if ":" in shown else shown
    hosts = frozenset(f"{name}:{port}" for name in (LOCAL, "localhost", "[::1]", shown.lower()))
    address = f"http://{shown}:{port}/" + (f"?token={token}" if token else "")
    return Served(address, listening, Guard(make_app(session), hosts, token))


def is_local(host: str) -> bool:
    """Whether only this machine can reach the address.

    >>> is_local("127.0.0.1"), is_local("localhost"), is_local("0.0.0.0")
    (True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _own_name() -> str:
    """The address that other machines know this one by, as far as it can be told."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))  # nothing is sent: it only chooses an interface
            return str(probe.getsockname()[0])
    except OSError:
        return socket.gethostname()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; ``port`` 0 is a free one. UsageError where that cannot be."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        family, _, _, _, address = found[0]
        made = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UsageError(f"--host {host}: no address of this machine") from None
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(128)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"--port {port}: something listens there; --port 0 takes a free one"
            ) from None
        raise UsageError(f"--host {host} --port {port}: {error.strerror or error}") from None
    return made
