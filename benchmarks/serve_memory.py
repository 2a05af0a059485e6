"""The memory of ``beak serve`` after 100,000 requests, a tenth of them hostile.

    python benchmarks/serve_memory.py RUN [--requests 100000]

RUN is a run for pictures. Prints what the worker holds after the first 1,000 requests and after
all of them, and what the answers were.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import struct
import time
import zlib
from collections import Counter

from serve_fastapi_ort import LOCAL, beak, pictures

from beak.web.drive import Driven, driven, request

FIRST = 1_000
CONNECTIONS = 32
SETTLED = 12.0
"""Seconds until unused memory has been given back; see service_worker.GIVEN_BACK."""
PIECE = 2.0
"""Seconds between two looks."""


def main() -> None:
    """Ask, look, ask on."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("run")
    words.add_argument("--requests", type=int, default=100_000)
    asked = words.parse_args()
    with beak(asked.run, 1) as port:
        requests = mixed(port)
        answers: Counter[int] = Counter()
        lost = sent = 0
        first = None
        while sent < asked.requests:
            seconds = 0.4 if sent < FIRST else PIECE
            found = asyncio.run(some(port, requests, seconds))
            answers += found.answers
            lost += found.lost
            sent = answers.total() + lost
            if first is None and sent >= FIRST:
                first = (sent, held(port))
        last = held(port)
    assert first is not None
    told = {"requests": sent, "answers": dict(sorted(answers.items())), "lost": lost,
            "after_first": first[0], "bytes_first": first[1], "bytes_last": last,
            "grown": last / first[1] - 1}  # fmt: skip
    print(json.dumps(told))


async def some(port: int, requests: list[bytes], seconds: float) -> Driven:
    """Requests for so long, and beside them clients that send half and go, or send nothing."""
    beside = asyncio.create_task(rude(port, requests, seconds))
    found = await driven(LOCAL, port, requests, CONNECTIONS, seconds)
    await beside
    return found


async def rude(port: int, requests: list[bytes], seconds: float) -> None:
    """Half a request and the end of it, twenty times a second."""
    for number in range(round(20 * seconds)):
        _, writer = await asyncio.open_connection(LOCAL, port)
        whole = requests[number % len(requests)]
        writer.write(whole[: len(whole) * (number % 5) // 5])
        await asyncio.sleep(0.05)
        writer.transport.abort()


def mixed(port: int) -> list[bytes]:
    """Nine good requests, then a hostile one, each of another kind."""
    host = f"{LOCAL}:{port}"
    good = [request(host, "/predict", *body) for body in pictures(28, 90)]
    form = "multipart/form-data; boundary=x"
    bad = [
        request(host, "/predict", bomb(30_000, 30_000), "image/png"),
        request(host, "/predict", bomb(4_000, 4_000), "image/png"),
        request(host, "/predict", b"\xff\xd8\xff" + bytes(range(256)) * 40, "image/jpeg"),
        request(host, "/predict", b"[" * 50_000, "application/json"),
        request(host, "/predict", b'{"data": "' + b"A" * 200_000 + b'"}', "application/json"),
        request(host, "/predict", b"--x\r\n" * 5_000, form),
        request(host, "/predict", b"x" * 3_000_000, "image/png"),
        request(host, "/v1/../../etc/passwd/predict", b"x", "image/png"),
        request(host, "/predict?top=" + "9" * 2_000, b"x", "image/png"),
        request("evil.example", "/predict", b"x", "image/png"),
    ]
    return [each for i, one in enumerate(bad) for each in (*good[9 * i : 9 * i + 9], one)]


def bomb(width: int, height: int) -> bytes:
    """A PNG file of a few bytes that says it holds so many pixels, all of them black."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*each) for each in ((b"IHDR", head), (b"IDAT", rows), (b"IEND", b""))
    )


def held(port: int) -> int:
    """The worker's resident bytes, once what was in progress is over and given back."""
    time.sleep(SETTLED)
    with socket.create_connection((LOCAL, port)) as asking:
        asking.sendall(f"GET /metrics HTTP/1.1\r\nhost: {LOCAL}:{port}\r\n\r\n".encode())
        told = b""
        while b'beak_resident_bytes{worker="1"}' not in told or not told.endswith(b"\n"):
            told += asking.recv(65_536)
    (line,) = [x for x in told.decode().splitlines() if x.startswith("beak_resident_bytes{")]
    return int(line.split()[-1])


if __name__ == "__main__":
    main()
