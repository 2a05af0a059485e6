"""Who may ask the service: this machine, whoever has the token; never another site's page."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from beak.errors import UsageError
from beak.web.guard import COOKIE, RefusedError, Scope
from beak.web.server import LOCAL

WANTED = frozenset(
    (b"host", b"origin", b"authorization", b"cookie", b"content-type", b"content-length",
     b"content-encoding", b"sec-fetch-site", b"sec-fetch-mode", b"access-control-request-method")
)  # fmt: skip
"""Headers that are looked at; of each but cookies one line is taken."""
OPEN = frozenset(("/healthz", "/readyz"))
"""Asked by machines that watch over others: without a token, under any name."""


@dataclass(frozen=True)
class Door:
    """What a request must bring."""

    port: int
    token: str | None = None
    names: tuple[str, ...] = ()
    """Hosts that lead here beside this machine's own names, with their port where it is no 80."""
    origins: tuple[str, ...] = ()
    """Sites whose pages may ask: "https://example.org"."""
    prefix: str = ""
    """What a proxy puts before every path: "/digits"."""
    hosts: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        local = (LOCAL, "localhost", "[::1]")
        own = {f"{name}:{self.port}" for name in local} | set(local)
        object.__setattr__(self, "hosts", frozenset(own | {n.lower() for n in self.names}))

    def check(self, scope: Scope, headers: dict[bytes, str]) -> None:
        """Raises RefusedError for a request that must not come in."""
        host = headers.get(b"host", "").lower()
        if self.token is None and host not in self.hosts:
            raise RefusedError(
                421, "this name does not lead here; tell the service its name: --public-url"
            )
        if (origin := headers.get(b"origin")) is not None and not self.allows(origin, host):
            raise RefusedError(403, "another site asked; to allow it: --allow-origin")
        if self.token is not None and not self._known(scope, headers):
            raise RefusedError(401, "the token is missing; send Authorization: Bearer TOKEN")

    def allows(self, origin: str, host: str) -> bool:
        """Whether that site's page may ask: the service's own, or one that was named."""
        origin = origin.lower()
        return origin in self.origins or (
            origin.partition("://")[2] == host and origin.startswith(("http://", "https://"))
        )

    def _known(self, scope: Scope, headers: dict[bytes, str]) -> bool:
        wanted = (self.token or "").encode()
        given = [headers.get(b"authorization", "").removeprefix("Bearer ")]
        given += self.asked_token(scope)
        try:
            found = SimpleCookie(headers.get(b"cookie", "")).get(COOKIE)
        except CookieError:
            found = None
        given += [found.value] if found else []
        return any(hmac.compare_digest(one.encode(), wanted) for one in given)

    def asked_token(self, scope: Scope) -> list[str]:
        """The token in the page's address, as it is opened the first time."""
        query = scope.get("query_string", b"").decode("latin-1")
        if (
            scope["path"].removeprefix(self.prefix) != "/"
            or "token=" not in query
            or query.count("&") > 20
        ):
            return []
        return parse_qs(query).get("token", [])


def headers_of(scope: Scope) -> dict[bytes, str]:
    """The headers that matter. Raises RefusedError where one is there twice: which one counts?"""
    found: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name not in WANTED:
            continue
        if name in found and name != b"cookie":
            raise RefusedError(400, f"the header {name.decode()} is there twice")
        found[name] = value.decode("latin-1")
    return found


def public(url: str) -> tuple[str, str]:
    """'https://example.org/digits/' -> ('example.org', '/digits'). UsageError.

    >>> public("https://example.org/digits/")
    ('example.org', '/digits')
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise UsageError(f"--public-url {url}: such as https://example.org/digits was wanted")
    return parts.netloc.lower(), parts.path.rstrip("/")


def site(url: str) -> str:
    """'https://Example.org' -> 'https://example.org'. UsageError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path not in ("", "/"):
        raise UsageError(f"--allow-origin {url}: such as https://example.org was wanted")
    return f"{parts.scheme}://{parts.netloc}".lower()
