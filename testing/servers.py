"""Run a server on a free port and end it by its own process id in every case."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseServer
from typing import TypeVar

ThreadedServer = TypeVar("ThreadedServer", bound=BaseServer)

START_S = 60.0
"""The slowest start seen on a busy machine took a tenth of it."""
STOP_S = 10.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: Sequence[str], *, answers: str, log: Path) -> Iterator[None]:
    """Run a server until the block ends; it is up when the URL answers."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            _wait_for(answers, process=process, log=log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_S)


def _wait_for(url: str, *, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline, pause = time.monotonic() + START_S, threading.Event()
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}: {log.read_text()}")
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            pause.wait(0.05)
    raise RuntimeError(f"no answer from {url} after {START_S} s: {log.read_text()}")


@contextmanager
def serving_in_thread(server: ThreadedServer) -> Iterator[ThreadedServer]:
    """Let a thread of this process answer the server's requests until the block ends."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
