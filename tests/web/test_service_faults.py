"""What goes wrong around a service: no wrong answer, no answer lost but a killed worker's."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import numpy as np
import pytest
from PIL import Image

from beak.runs.model import Model, load_model, save_model
from beak.web.drive import drive, form, request

LOCAL = "127.0.0.1"


@contextmanager
def serving(*words: str):
    """A service as a process; its port, and the process."""
    command = [sys.executable, "-m", "beak", "serve", *words, "--port", "0", "--json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([*command, "--threads", "1"], text=True, **pipes)
    try:
        told = process.stdout.readline()
        assert told, process.stderr.read()
        yield int(json.loads(told)["address"].split(":")[2].rstrip("/")), process
    finally:
        process.terminate()
        process.communicate(timeout=40)


@pytest.fixture(scope="module")
def run(runs, tmp_path_factory) -> Path:
    """A run of one's own, to be changed."""
    path = tmp_path_factory.mktemp("changing") / "digits.safetensors"
    shutil.copy(runs("digits"), path)
    return path


@pytest.fixture(scope="module")
def service(run):
    """Two workers."""
    with serving(str(run), "--workers", "2", "--timeout", "2", "--max-pixels", "1000000") as told:
        yield told


@pytest.fixture(scope="module")
def client(service):
    with httpx2.Client(base_url=f"http://{LOCAL}:{service[0]}", timeout=20) as made:
        yield made


def picture(number: int = 0) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (28, 28), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def asking(port: int, number: int = 0) -> bytes:
    return request(f"{LOCAL}:{port}", "/predict", *form(picture(number), f"{number}.png"))


def workers_of(process: subprocess.Popen) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(word) for word in children.split()]


def metric(client, name: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def until(what, seconds: float = 10.0) -> float:
    """Seconds until it holds."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        if what():
            return time.monotonic() - begun
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")


def answered(port: int, sent: bytes, seconds: float = 20.0) -> bytes:
    """All that comes back on one connection."""
    with socket.create_connection((LOCAL, port), timeout=seconds) as connection:
        connection.sendall(sent)
        found = b""
        while data := connection.recv(65_536):
            found += data
            if found.endswith(b"}") or b"\r\n\r\n{" in found:
                break
        return found


def test_a_killed_workers_requests_get_a_503_and_another_answers_within_two_seconds(
    service, client
):
    port, process = service
    there = workers_of(process)
    assert len(there) == 2
    found = []
    load = threading.Thread(
        target=lambda: found.append(drive(LOCAL, port, [asking(port)], 16, 3.0))
    )
    load.start()
    time.sleep(1.3)  # how many connections each has is told once a second
    has = [metric(client, f'beak_connections{{worker="{number}"}}') for number in (1, 2)]
    os.kill(there[int(has[1] > has[0])], signal.SIGKILL)  # the kernel deals them out as it likes
    again = until(lambda: len(set(workers_of(process)) - set(there)) == 1)
    load.join()
    (driven,) = found
    assert again < 2.0
    assert set(driven.answers) <= {200, 503}
    assert 1 <= driven.answers[503] <= 16
    assert driven.lost == 0
    assert metric(client, "beak_worker_restarts_total") == 1
    assert until(lambda: client.post("/predict", content=picture()).status_code == 200, 2.0) < 2.0


def test_connections_of_one_request_each_get_a_503_from_a_killed_worker(service, client):
    """All but the one that it may just have taken: between the system's giving a connection away
    and the worker's telling its supervisor nobody else knows of it.
    """
    port, process = service
    once = asking(port).replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)
    for number in range(3):
        there = workers_of(process)
        with ThreadPoolExecutor(1) as pool:
            load = pool.submit(drive, LOCAL, port, [once], 16, 1.0)
            time.sleep(0.4)
            os.kill(there[number % 2], signal.SIGKILL)
            driven = load.result()
        until(lambda there=there: len(set(workers_of(process)) - set(there)) == 1)
        assert set(driven.answers) <= {200, 503}
        assert driven.answers[200] > 0
        assert driven.lost <= 1
        until(lambda: client.get("/readyz").status_code == 200)


def test_a_stalled_body_and_stalled_headers_are_cut_and_others_do_not_wait(service, client):
    port, _ = service
    begun = time.monotonic()
    stalled = asking(port)[:-40]
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(answered(port, stalled))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    others = [client.post("/predict", content=picture()) for _ in range(5)]
    assert {other.status_code for other in others} == {200}
    assert min(other.elapsed.total_seconds() for other in others) < 1
    for thread in threads:
        thread.join()
    assert all(b" 408 " in result.split(b"\r\n")[0] for result in results)
    assert 1.5 < time.monotonic() - begun < 15


def test_half_a_body_and_then_the_end_changes_nothing(service, client):
    port, _ = service
    for cut in (30, 200, len(asking(port)) // 2):
        with socket.create_connection((LOCAL, port)) as connection:
            connection.sendall(asking(port)[:cut])
    assert client.post("/predict", content=picture()).status_code == 200


def bomb(width: int, height: int) -> bytes:
    """A PNG file of a few hundred bytes that says it holds so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def test_a_bomb_is_refused_before_it_is_unpacked(client):
    before = metric(client, "beak_resident_bytes")
    for _ in range(10):
        answer = client.post("/predict", content=bomb(30_000, 30_000))
        assert answer.status_code == 413
        assert "pixels" in answer.json()["error"]
    time.sleep(1.2)
    assert metric(client, "beak_resident_bytes") - before < 50e6


def test_a_header_without_end_is_cut(service, client):
    port, _ = service
    flood = b"GET / HTTP/1.1\r\nhost: x\r\n" + b"x-long: " + b"a" * 200_000
    try:
        found = answered(port, flood)
    except ConnectionResetError:  # as h11 ends it
        found = b"HTTP/1.1 400"
    assert found.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))
    assert client.post("/predict", content=picture()).status_code == 200


def test_a_run_that_is_replaced_midway_answers_as_the_old_one_or_the_new_one(
    service, client, run, runs
):
    port, _ = service
    old = load_model(run)
    changed = {name: -value for name, value in old.parameters.items()}
    content = picture()
    before = client.post("/predict", content=content).json()["probabilities"]
    found = []
    stop = threading.Event()

    def ask() -> None:
        with httpx2.Client(base_url=f"http://{LOCAL}:{port}", timeout=20) as own:
            while not stop.is_set():
                answer = own.post("/predict", content=content)
                found.append((answer.status_code, answer.json().get("probabilities")))

    asking_on = threading.Thread(target=ask)
    asking_on.start()
    until(lambda: found)
    save_model(run, Model(old.network, old.spec, old.labels, changed, old.info))
    until(lambda: metric(client, "beak_reloads_total") == 2)
    after = client.post("/predict", content=content).json()["probabilities"]
    stop.set()
    asking_on.join()
    assert after != before
    assert {status for status, _ in found} == {200}
    assert all(shares in (before, after) for _, shares in found)


def test_a_broken_new_file_keeps_the_network_and_says_so(service, client, run):
    whole = run.read_bytes()
    content = picture()
    before = client.post("/predict", content=content).json()
    run.write_bytes(whole[: len(whole) // 2])
    until(lambda: metric(client, "beak_broken_file") == 2)
    assert client.post("/predict", content=content).json() == before
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["stale"] == ["digits"]
    (listed,) = client.get("/v1/runs").json()["runs"]
    assert "cut short" in listed["trouble"]
    run.write_bytes(whole)
    until(lambda: metric(client, "beak_broken_file") == 0)
    assert client.get("/readyz").json()["stale"] == []


def test_a_worker_that_starts_while_the_file_is_broken_takes_the_last_good_one(
    service, client, run
):
    _, process = service
    whole = run.read_bytes()
    content = picture()
    before = client.post("/predict", content=content).json()
    run.write_bytes(b"broken")
    until(lambda: metric(client, "beak_broken_file") == 2)
    there = workers_of(process)
    for each in there:
        os.kill(each, signal.SIGKILL)
    until(lambda: len(set(workers_of(process)) - set(there)) == 2)
    until(lambda: metric(client, "beak_broken_file") == 2)
    assert client.post("/predict", content=content).json() == before
    run.write_bytes(whole)
    until(lambda: metric(client, "beak_broken_file") == 0)


def test_the_counts_of_all_workers_are_one_sum(service, client):
    port, _ = service
    before = metric(client, 'beak_requests_total{run="digits",status="200"}')
    driven = drive(LOCAL, port, [asking(port, n) for n in range(8)], 8, 0.5)
    after = metric(client, 'beak_requests_total{run="digits",status="200"}')
    assert after - before == driven.answers[200] >= 8


def asked_until_refused(port: int, sent: bytes, again: bool) -> list[bytes]:
    """Every answer's first bytes, b"" where none came, until nobody listens any more."""
    found = []
    connection = None
    while True:
        try:
            if connection is None:
                connection = socket.create_connection((LOCAL, port), timeout=20)
        except OSError:
            return found
        answer = b""
        with suppress(OSError):
            connection.sendall(sent)
            while not answer.endswith(b"}") and (data := connection.recv(65_536)):
                answer += data
        found.append(answer[:12])
        if not again or not answer or b"\r\nconnection: close" in answer:
            connection.close()
            connection = None


@pytest.mark.parametrize("again", [False, True], ids=["once", "kept open"])
def test_sigterm_under_load_answers_all_who_were_let_in(run, again):
    with serving(str(run), "--workers", "2") as (port, process), ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(asked_until_refused, port, asking(port), again) for _ in range(8)]
        time.sleep(0.6)
        process.terminate()
        found = [answer for each in asked for answer in each.result()]
        assert process.wait(20) == 0
    assert len(found) > 8
    assert set(found) == {b"HTTP/1.1 200"}


def test_sigterm_finishes_what_was_taken(run):
    with serving(str(run), "--workers", "2") as (port, process):
        body = asking(port)
        slow = socket.create_connection((LOCAL, port))
        slow.sendall(body[:-10])
        time.sleep(0.3)
        process.terminate()
        time.sleep(0.5)
        slow.sendall(body[-10:])
        slow.settimeout(10)
        assert slow.recv(4096).startswith(b"HTTP/1.1 200 ")
        slow.close()
        assert process.wait(20) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOCAL, port))
