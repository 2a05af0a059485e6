"""The way from a process of ``--processes`` to the command that started it: one Unix socket each.

Over it a process hears that it is to stop and tells how it ended. While the command lives the
socket is open: when the command is gone, however it went, all its processes end.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

PLACE = "BEAK_PROCESSES"
"""Names the folder that holds the socket, for the processes that the command starts."""
DOOR = "door"
"""The socket's file name."""
TORCHRUN = -1
"""The rank under which torchrun itself comes to the door."""
PATIENCE = 3.0
"""Seconds for a process that does not train yet to end by itself when it is asked to stop."""


class Door:
    """One process's end of the socket.

    ``asked``: the signal by which the user stopped the command, 0 without one.
    """

    def __init__(self, rank: int, errors: bool = True) -> None:
        """Connect; ``errors``: Python's error lines go where the command's go.

        What libraries print from C, as gloo its lost connections, stays in torchrun's own words.
        A process that finds the command gone ends here.
        """
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(str(Path(os.environ[PLACE], DOOR)))
            self._tell({"rank": rank})
            word, files, _, _ = socket.recv_fds(self._socket, 1, 1)
        except OSError:
            os._exit(1)
        if not word:
            os._exit(1)
        self.asked = word[0]
        self._leaving = False
        """Whether this process ends anyway."""
        if errors:
            sys.stderr = open(files[0], "w", buffering=1, errors="replace")  # noqa: SIM115
        else:
            os.close(files[0])

    def listen(self) -> None:
        """From here on end with the command, and hand on the signal that stops it."""
        threading.Thread(target=self._listen, daemon=True).start()

    def leave(self) -> None:
        """From here on hand on no signal."""
        self._leaving = True

    def ended(self, code: int) -> None:
        """Tell with which exit code the whole is to end."""
        self._tell({"code": code})

    def failed(self, line: str, code: int) -> None:
        """Tell what went wrong here, for the case that the first process does not say it."""
        self._tell({"wrong": line, "code": code})

    def wait(self) -> None:
        """Until the command ends this process, as it does once the first has ended."""
        while True:
            time.sleep(60)

    def _tell(self, what: dict[str, Any]) -> None:
        self._socket.sendall(json.dumps(what).encode() + b"\n")

    def _listen(self) -> None:
        while True:
            try:
                word = self._socket.recv(1)
            except OSError:
                word = b""
            if not word:
                os._exit(1)
            self.asked = word[0]
            if not self._leaving:
                threading.Thread(target=stop_here, args=word, daemon=True).start()


def stop_here(number: int) -> None:
    """Hand a signal to this process's training, where there is one; else end the process."""
    main = threading.main_thread().ident
    assert main is not None
    if callable(signal.getsignal(signal.SIGTERM)):  # as `wish_to_stop` has it while training
        signal.pthread_kill(main, number)
        return
    if callable(signal.getsignal(signal.SIGINT)):
        signal.pthread_kill(main, signal.SIGINT)
        time.sleep(PATIENCE)  # libraries that wait for other processes do not hear it
    os._exit(1)
