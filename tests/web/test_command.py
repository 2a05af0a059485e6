"""``beak look`` as it is typed: the address, wrong calls in one line, Ctrl-C."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from beak.cli.group import run as beak


def started(run, *more: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "beak", "look", str(run), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_it_prints_the_address_serves_the_page_and_ends_on_ctrl_c(runs):
    process = started(runs("text"), "--no-browser")
    address = process.stdout.readline().strip()
    with urllib.request.urlopen(address, timeout=10) as answer:
        assert b"<title>beak look</title>" in answer.read()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert "Ctrl-C stops it" in said
    assert "Traceback" not in said
    assert process.returncode == 0


def test_with_a_host_the_address_holds_the_token_that_is_asked_for(runs):
    process = started(runs("text"), "--host", "0.0.0.0", "--json")
    try:
        address = json.loads(process.stdout.readline())["address"]
        port, token = address.split(":")[2].split("/?token=")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/?token={token}", timeout=10) as page:
            assert page.status == 200
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10)
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["nowhere"], "nowhere"),
        (["RUN", "--host", "192.0.2.7"], "--host 192.0.2.7"),
        (["RUN", "--host", "no such host"], "no address of this machine"),
        (["RUN", "--port", "99999"], "--port"),
    ],
)
def test_a_wrong_call_is_answered_in_one_line(runs, capsys, words, line):
    told = [str(runs("text")) if word == "RUN" else word for word in words]
    assert beak(["look", *told, "--no-browser"]) != 0
    said = capsys.readouterr().err
    assert line in said
    assert "Traceback" not in said


def test_a_port_that_is_taken_is_named(runs, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert beak(["look", str(runs("text")), "--port", str(port), "--no-browser"]) == 2
    assert f"--port {port}: something listens there; --port 0" in capsys.readouterr().err
