"""Run commands of `ingest` in forks of one process that has imported the command line and what its commands use.

A command spends most of its time on imports: 5 of the 6 seconds of processor time of `ingest validate` (2026-11-30).
Tests that are about what a command does call it here: a process of its own, with its own environment, folder, output
and exit code, as from a shell, without those imports. Tests that are about the start of a command, or that kill it,
start `bin/ingest`.

The process that forks holds one thread and no open files of the project, as the launcher's warm process does.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any, NoReturn

_ROOT = Path(__file__).resolve().parents[1]
_USED = ("chromadb.api.rust", "dagster._core.instance.factory", "dagster._core.storage.sql", "tokenizers")
"""What commands import besides the modules of the project."""
_READS_THE_ENVIRONMENT = ("ingest_assets.definitions", "ingest_assets.components")
"""Modules that are not imported before the command: they load the settings, or are for projects that load them."""
_NEEDS_AN_EXTRA = "ingest_assets.integrations."
_LONGEST_REQUEST = 1 << 20


def run_forked(
    words: Sequence[str], *, environment: Mapping[str, str], timeout_s: float = 300.0
) -> subprocess.CompletedProcess[str]:
    """Run `ingest` with these words to its end and return its exit code and what it wrote.

    Raises:
        TimeoutExpired: it did not end in time, and was killed.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        server = _server()
        request = json.dumps({"words": list(words), "environment": dict(environment), "folder": str(Path.cwd())})
        socket.send_fds(server, [request.encode() + b"\n"], [output.fileno(), errors.fileno()])
        answers = server.makefile("r", encoding="ascii")
        pid = int(answers.readline())
        server.settimeout(timeout_s)
        try:
            code = int(answers.readline())
        except TimeoutError as error:
            os.kill(pid, signal.SIGKILL)
            _server.cache_clear()
            raise subprocess.TimeoutExpired(list(words), timeout_s, _text(output), _text(errors)) from error
        finally:
            server.settimeout(None)
        return subprocess.CompletedProcess(list(words), code, _text(output), _text(errors))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


@cache
def _server() -> socket.socket:
    """Start the process that forks; it ends when this process closes the socket, or ends."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "testing.forked_commands", str(theirs.fileno())],
            cwd=_ROOT,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def main() -> None:
    """Import the project, then run one command after the other, each in a fork."""
    server = socket.socket(fileno=int(sys.argv[1]))
    _import_everything()
    gc.collect()
    gc.freeze()
    while request := _receive(server):
        line, descriptors = request
        pid = os.fork()
        if not pid:
            server.close()
            _become(json.loads(line), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        server.sendall(f"{pid}\n".encode())
        server.sendall(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n".encode())


def _import_everything() -> None:
    import ingest_assets
    from memory_capped_launcher.linux import thread_count
    from memory_capped_launcher.warm.preload import hold_threads, restore_threads

    hold_threads()
    modules = [each.name for each in pkgutil.walk_packages(ingest_assets.__path__, "ingest_assets.")]
    for name in [*modules, *_USED]:
        if not name.startswith((*_READS_THE_ENVIRONMENT, _NEEDS_AN_EXTRA)):
            importlib.import_module(name)
    restore_threads()
    assert thread_count() == 1, "an import started a thread, and a process with threads cannot fork"


def _receive(server: socket.socket) -> tuple[bytes, list[int]] | None:
    line = b""
    descriptors: list[int] = []
    while not line.endswith(b"\n"):
        part, received, _, _ = socket.recv_fds(server, _LONGEST_REQUEST, 2)
        line, descriptors = line + part, descriptors + received
        if not part:
            return None
    return line, descriptors


def _become(request: dict[str, Any], descriptors: Sequence[int]) -> NoReturn:
    """Run the command in this process, and end it as Python ends a script."""
    from ingest_assets.cli.main import main as ingest

    for number, descriptor in zip((1, 2), descriptors, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(str(request["folder"]))
    sys.argv = [str(Path(sys.executable).with_name("ingest")), *request["words"]]
    ingest()
    sys.exit()


if __name__ == "__main__":
    with suppress(BrokenPipeError, ConnectionResetError):
        main()
