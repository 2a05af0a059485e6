"""The nginx example of docs/serve.md, with a real nginx."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

DOCS = Path(__file__).parents[2] / "docs" / "serve.md"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin")

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return made.getsockname()[1]


def configuration(folder: Path, port: int, front: int) -> str:
    """The page's example, on free ports, without the certificate that nobody has here."""
    (example,) = re.findall(r"```text\n(upstream beak.*?)```", DOCS.read_text(), re.S)
    example = example.replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    example = example.replace("listen 443 ssl;", f"listen 127.0.0.1:{front};")
    paths = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off;\n{paths}{example}}}\n"
    )


def test_the_service_answers_behind_nginx_as_the_page_says(runs, tmp_path):
    front = free_port()
    url = "https://ai.example.org/digits"
    command = [sys.executable, "-m", "beak", "serve", str(runs("text")), "--port", "0", "--json"]
    service = subprocess.Popen(
        [*command, "--public-url", url, "--token", "correct-horse"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    port = int(json.loads(service.stdout.readline())["address"].split(":")[2].split("/")[0])
    path = tmp_path / "nginx.conf"
    path.write_text(configuration(tmp_path, port, front))
    nginx = subprocess.Popen([NGINX, "-c", str(path), "-p", str(tmp_path)])
    known = {"host": "ai.example.org", "authorization": "Bearer correct-horse"}
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{front}", headers=known) as client:
            for _ in range(100):
                try:
                    answer = client.get("/digits/readyz")
                    break
                except httpx2.ConnectError:
                    time.sleep(0.1)
            assert answer.json()["status"] == "ready"
            asked = {"files": {"file": ("film.txt", b"a fine film")}}
            answer = client.post("/digits/v1/text/predict", **asked)
            assert (answer.status_code, answer.json()["input"]) == (200, "film.txt")
            own = {"origin": "https://ai.example.org"}
            assert client.post("/digits/predict", headers=own, **asked).status_code == 200
            evil = {"origin": "https://evil.example"}
            assert client.post("/digits/predict", headers=evil, **asked).status_code == 403
            assert client.get("/digits/v1/runs", headers={"authorization": ""}).status_code == 401
            page = client.get("/digits/?token=correct-horse")
            assert "Path=/digits/" in page.headers["set-cookie"]
            assert client.get("/digits/page/try.js").status_code == 200
            assert client.post("/digits/predict", content=bytes(33 << 20)).status_code == 413
    finally:
        for process in (nginx, service):
            process.terminate()
            process.wait(20)
        service.stdout.close()
