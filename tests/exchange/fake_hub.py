"""A hub on loopback: as much of its HTTP as pushing and pulling takes, and its faults on demand."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_for_tests"
COMMIT = "c" * 40


class Hub(ThreadingHTTPServer):
    """Repositories in memory."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.large: dict[str, bytes] = {}
        self.private: dict[str, bool] = {}
        self.faults: dict[str, int] = {}
        """What a path holds -> the status that it is answered with."""
        self.cut: str = ""
        """Of answers whose path holds this, only the first half comes."""
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        hub = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        hub.asked.append(f"{self.command} {self.path}")
        for part, status in hub.faults.items():
            if part in self.path:
                return self.reply(status, {"error": "as the test asks"})
        if self.command in ("POST", "PUT") and "/lfs/" not in self.path and not self.known():
            return self.reply(401, {"error": "Invalid username or password."})
        for pattern, method in ROUTES:
            if found := re.fullmatch(pattern, self.path.partition("?")[0]):
                return method(self, body, *found.groups())
        return self.reply(404, {"error": "Repository not found"})

    do_GET = do_HEAD = do_POST = do_PUT = answer  # noqa: N815

    def known(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def reply(self, status: int, said: object, **headers: str) -> None:
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status == 404 and b"Repository" in body:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.server.cut and self.server.cut in self.path:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(body)

    def create(self, body: bytes) -> None:
        said = json.loads(body)
        name = "/".join(filter(None, (said.get("organization"), said["name"])))
        if name in self.server.repositories:
            return self.reply(409, {"url": f"{self.server.address}/{name}"})
        self.server.repositories[name] = {}
        self.server.private[name] = bool(said.get("private")) or said.get("visibility") == "private"
        return self.reply(200, {"url": f"{self.server.address}/{name}"})

    def check_yaml(self, body: bytes) -> None:
        self.reply(200, {"errors": [], "warnings": []})

    def preupload(self, body: bytes, name: str) -> None:
        files = [
            {"path": f["path"], "shouldIgnore": False,
             "uploadMode": "lfs" if f["path"].endswith(".safetensors") else "regular"}
            for f in json.loads(body)["files"]
        ]  # fmt: skip
        self.reply(200, {"files": files})

    def batch(self, body: bytes, name: str) -> None:
        objects = [
            {**o, "actions": {"upload": {"href": f"{self.server.address}/lfs/{o['oid']}"}}}
            for o in json.loads(body)["objects"]
        ]
        self.reply(200, {"transfer": "basic", "objects": objects})

    def store(self, body: bytes, oid: str) -> None:
        assert hashlib.sha256(body).hexdigest() == oid
        self.server.large[oid] = body
        self.reply(200, {})

    def commit(self, body: bytes, name: str) -> None:
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                self.server.repositories[name][value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.server.repositories[name][value["path"]] = self.server.large[value["oid"]]
        address = f"{self.server.address}/{name}/commit/{COMMIT}"
        self.reply(200, {"success": True, "commitOid": COMMIT, "commitUrl": address})

    def info(self, body: bytes, name: str, _: str | None = None) -> None:
        files = self.server.repositories.get(name)
        if files is None:
            return self.reply(404, {"error": "Repository not found"})
        siblings = [{"rfilename": n, "size": len(c)} for n, c in files.items()]
        return self.reply(200, {"id": name, "sha": COMMIT, "siblings": siblings})

    def file(self, body: bytes, name: str, place: str) -> None:
        content = self.server.repositories.get(name, {}).get(place)
        if content is None:
            return self.reply(404, {"error": "Entry not found"}, X_Error_Code="EntryNotFound")
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        return self.reply(200, content, ETag=etag, X_Repo_Commit=COMMIT)

    def log_message(self, *_: object) -> None:
        """Nothing."""


NAME = r"([\w.-]+/[\w.-]+)"
ROUTES = (
    (r"/api/repos/create", Handler.create),
    (r"/api/validate-yaml", Handler.check_yaml),
    (rf"/api/models/{NAME}/preupload/main", Handler.preupload),
    (rf"/{NAME}\.git/info/lfs/objects/batch", Handler.batch),
    (r"/lfs/(\w+)", Handler.store),
    (rf"/api/models/{NAME}/commit/main", Handler.commit),
    (rf"/api/models/{NAME}(?:/revision/(.+))?", Handler.info),
    (rf"/{NAME}/resolve/{COMMIT}/(.+)", Handler.file),
)


@contextmanager
def running() -> Iterator[Hub]:
    """A hub while the block lasts."""
    hub = Hub()
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
