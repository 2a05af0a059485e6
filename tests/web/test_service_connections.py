"""A worker's connections: what its supervisor knows the moment that it could be killed."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace

import pytest

from beak.web.service_connections import (
    CLOSED,
    FULL,
    NEWS,
    OPENED,
    Accepting,
    Connections,
    client_of,
    guarded,
)


class Base(asyncio.Protocol):
    """As much of uvicorn's protocol as is asked."""

    def __init__(self) -> None:
        self.cycle = None

    def connection_made(self, transport) -> None:
        self.transport = transport


class Transport(asyncio.Transport):
    """Keeps what is written, and what was known to be in progress then."""

    def __init__(self, busy=b"") -> None:
        super().__init__({"peername": ("::1", 9, 0, 0)})
        self.busy, self.written, self.closed = busy, [], False

    def write(self, data) -> None:
        self.written.append((data, bytes(self.busy)))

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def news():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def made(news):
    """Connections for two, and a protocol on the first."""
    there = Connections(2, news[1], bytearray(2))
    protocol = guarded(Base, there)()
    with socket.socket() as any_one:
        protocol.number = there.take(any_one)
    transport = Transport(there.busy)
    protocol.connection_made(transport)
    return there, protocol, transport


REQUEST = {"client": ("::1", 9)}


def test_the_first_bytes_of_a_request_count_as_one_in_progress(made):
    there, protocol, _ = made
    assert there.busy[0] == 0
    protocol.data_received(b"GET")
    assert there.busy[0] == 1


def test_an_answer_is_written_in_one_piece_before_its_request_counts_as_done(made):
    there, protocol, transport = made
    protocol.data_received(b"GET / HTTP/1.1\r\n\r\n")
    there.written(REQUEST)
    protocol.transport.write(b"head ")
    protocol.transport.write(b"body")
    assert transport.written == []
    there.ended(REQUEST)
    assert transport.written == [(b"head body", b"\x01\x00")]
    assert there.busy[0] == 0


def test_a_request_behind_another_keeps_the_connection_in_progress(made):
    there, protocol, _ = made
    protocol.data_received(b"two requests")
    protocol.cycle = SimpleNamespace(response_complete=False)  # of the second
    there.written(REQUEST)
    there.ended(REQUEST)
    assert there.busy[0] == 1


def test_numbers_come_back_once_and_one_too_many_is_refused(made, news):
    there, protocol, _ = made
    with socket.socket() as any_one:
        assert there.take(any_one) == 1
        assert there.take(any_one) is None
    refused, transport = guarded(Base, there)(), Transport()
    refused.connection_made(transport)
    assert [data for data, _ in transport.written] == [FULL]
    assert transport.closed
    refused.data_received(b"GET / HTTP/1.1\r\n\r\n")
    refused.connection_lost(None)
    assert there.free == []
    protocol.connection_lost(None)
    protocol.connection_lost(None)
    assert there.free == [0]
    assert there.there == {}
    data, handles, _, _ = socket.recv_fds(news[0], 4096, 64)
    assert (data, len(handles)) == (NEWS.pack(OPENED, 0), 1)
    data, more, _, _ = socket.recv_fds(news[0], 4096, 64)
    assert (data, len(more)) == (NEWS.pack(OPENED, 1), 1)
    for handle in (*handles, *more):
        socket.close(handle)
    assert news[0].recv(4096) == NEWS.pack(CLOSED, 0)


def test_the_supervisor_holds_a_connection_before_it_has_a_protocol(news):
    async def work() -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        address = listening.getsockname()
        there = Connections(8, news[1], bytearray(8))
        protocols = []

        def make():
            protocols.append(guarded(Base, there)())
            return protocols[-1]

        accepting = Accepting(listening, make, there)
        clients = [socket.create_connection(address) for _ in range(3)]
        accepting.close()  # those that wait are taken still
        handles = []
        for _ in clients:
            data, found, _, _ = socket.recv_fds(news[0], 4096, 64)
            assert data[:1] == OPENED
            handles += found
        assert protocols == []
        held = {socket.socket(fileno=handle) for handle in handles}
        wanted = {client.getsockname() for client in clients}
        assert {one.getpeername() for one in held} == wanted
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        await accepting.wait_closed()
        assert {one.number for one in protocols} == {0, 1, 2}
        for one in (*held, *clients):
            one.close()
        for one in protocols:
            one.transport.abort()
        await asyncio.sleep(0.05)
        assert len(there.free) == 8

    asyncio.run(work())


def test_a_client_is_called_as_requests_call_it():
    from uvicorn.protocols.utils import get_remote_addr

    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            listening = socket.create_server((host, 0), family=family)
        except OSError:
            continue  # a machine without IPv6
        with listening, socket.create_connection(listening.getsockname()[:2]):
            there, peer = listening.accept()
            told = {"socket": there, "peername": peer}
            assert client_of(SimpleNamespace(get_extra_info=told.get)) == get_remote_addr(
                SimpleNamespace(get_extra_info=told.get)
            )
            there.close()
    assert client_of(SimpleNamespace(get_extra_info={}.get)) is None
