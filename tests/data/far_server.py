"""A web server for shards, which can be told to misbehave."""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Shelf:
    """Files by name, how the server gives them, and what it was asked for."""

    def __init__(self):
        self.files = {}
        self.asked = []
        self.sent = 0
        self.ranges, self.heads, self.tags = True, True, True
        self.cut = {}
        """Name -> bytes after which the next answers break off, one for each."""
        self.said = {}
        """Name -> the size that it tells, in place of the true one."""
        self.url = ""

    def bytes_of(self, name):
        return sum(
            count for method, asked, count in self.asked if method == "GET" and asked == name
        )


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def shelf(self):
        return self.server.shelf

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer("HEAD")

    def do_GET(self):
        self.answer("GET")

    def refuse(self, code):
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, method):
        shelf, name = self.shelf, self.path.rpartition("/")[2].partition("?")[0]
        data = shelf.files.get(name)
        if method == "HEAD" and not shelf.heads:
            return self.refuse(405)
        if data is None:
            return self.refuse(404)
        tag = f'"{hashlib.md5(data).hexdigest()}"'
        if self.headers.get("If-Match", tag) != tag:
            return self.refuse(412)
        first, last = 0, len(data)
        span = self.headers.get("Range") if shelf.ranges else None
        if span:
            begin, _, end = span.removeprefix("bytes=").partition("-")
            first, last = int(begin), min(last, int(end) + 1 if end else last)
        self.send_response(206 if span else 200)
        if span:
            self.send_header("Content-Range", f"bytes {first}-{last - 1}/{len(data)}")
        if shelf.tags:
            self.send_header("ETag", tag)
        self.send_header("Content-Length", str(shelf.said.get(name, last - first)))
        self.end_headers()
        if method == "HEAD":
            return None
        whole = data[first:last]
        cuts = shelf.cut.get(name)
        if cuts:
            whole = whole[: cuts.pop(0)]
            self.close_connection = True
        shelf.asked.append((method, name, len(whole)))
        self.wfile.write(whole)
        if len(whole) < last - first:
            self.connection.close()
        return None


@contextmanager
def serving():
    """A shelf behind an address of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.shelf = shelf = Shelf()
    shelf.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield shelf
    finally:
        server.shutdown()
        server.server_close()
