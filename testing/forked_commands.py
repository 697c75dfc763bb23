"""Run commands of `ingest` in forks of one process that has imported the command line and what its commands use.

A command spends most of its time on imports: 5 of the 6 seconds of processor time of `ingest validate` (2026-11-30).
Tests that are about what a command does call it here: a process of its own, with its own environment, folder, output
and exit code, as from a shell, without those imports. Tests that are about the start of a command, or that kill it,
start `bin/ingest`.

A launcher's warm process that such a command starts is a fork of the same process, and for the same reason: of the 5
seconds of processor time that one costs, 4 are imports. Tests that are about the start of a warm process are those of
the launcher, of `ingest up` and of the wheels, which all start it as `python -m`.

The process that forks holds one thread and no open files of the project, as the launcher's warm process does.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from memory_capped_launcher.warm.warm_client import CodeToLoad

_ROOT = Path(__file__).resolve().parents[1]
_USED = (
    *("chromadb.api.rust", "dagster._core.storage.base_storage", "tokenizers"),
    *("dagster._core.storage.sqlite_storage", "dagster._core.storage.local_compute_log_manager"),
)
"""What commands and runs import besides the modules of the project and what a warm process imports."""
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
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if not pid:
            server.close()
            ours.close()
            _become(json.loads(line), descriptors, to_server=theirs)
        theirs.close()
        for descriptor in descriptors:
            os.close(descriptor)
        server.sendall(f"{pid}\n".encode())
        _start_warm_processes_until_it_ends(pid, asked_by=ours, close=[server, ours])
        server.sendall(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n".encode())


def _start_warm_processes_until_it_ends(pid: int, *, asked_by: socket.socket, close: Sequence[socket.socket]) -> None:
    """Fork a warm process each time the command asks for one, until the command has ended."""
    ended = os.pidfd_open(pid)
    try:
        while ended not in select.select([ended, asked_by.fileno()], [], [])[0]:
            if (request := _receive(asked_by)) is None:
                break
            line, descriptors = request
            child = os.fork()
            if not child:
                for each in close:
                    each.close()
                os.close(ended)
                _become_warm(json.loads(line), descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            os.waitpid(child, 0)  # it goes to the background at once
    finally:
        os.close(ended)
        asked_by.close()


def _import_everything() -> None:
    import ingest_assets
    from memory_capped_launcher.dagster_private import IMPORTED_DURING_A_RUN
    from memory_capped_launcher.linux import thread_count
    from memory_capped_launcher.warm.migrations import cache_migrations
    from memory_capped_launcher.warm.preload import hold_threads, restore_threads

    hold_threads()
    cache_migrations()
    modules = [each.name for each in pkgutil.walk_packages(ingest_assets.__path__, "ingest_assets.")]
    for name in [*modules, *IMPORTED_DURING_A_RUN, *_USED]:
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


def _become(request: dict[str, Any], descriptors: Sequence[int], *, to_server: socket.socket) -> NoReturn:
    """Run the command in this process, and end it as Python ends a script."""
    from ingest_assets.cli.main import main as ingest

    _enter(request, descriptors)
    _let_the_server_start_warm_processes(to_server)
    sys.argv = [str(Path(sys.executable).with_name("ingest")), *request["words"]]
    ingest()
    sys.exit()


def _become_warm(request: dict[str, Any], descriptors: Sequence[int]) -> NoReturn:
    """Be the warm process that the launcher would have started as `python -m`."""
    from memory_capped_launcher.warm import warm_process

    _enter(request, descriptors)
    sys.stdin = io.StringIO(request["start"])
    warm_process.main()
    sys.exit()


def _enter(request: dict[str, Any], descriptors: Sequence[int]) -> None:
    for number, descriptor in zip((1, 2), descriptors, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])


def _let_the_server_start_warm_processes(server: socket.socket) -> None:
    from memory_capped_launcher.warm import warm_client

    start_anew = warm_client._start_process

    def start(code: CodeToLoad, module: str, start: dict[str, Any], *, log: Path, timeout_s: float, **kept: Any) -> str:
        if (module, code.executable) != ("warm_process", sys.executable):
            return start_anew(code, module, start, log=log, timeout_s=timeout_s, **kept)
        request = {"start": f"{json.dumps(start)}\n", "environment": dict(os.environ), "folder": str(Path.cwd())}
        output, its_output = os.pipe()
        with os.fdopen(output) as answer, log.open("wb") as errors:
            socket.send_fds(server, [json.dumps(request).encode() + b"\n"], [its_output, errors.fileno()])
            os.close(its_output)
            if not select.select([answer], [], [], timeout_s)[0]:
                return f"it was not ready after {timeout_s:g} s"
            return answer.read().strip()

    warm_client._start_process = start


if __name__ == "__main__":
    with suppress(BrokenPipeError, ConnectionResetError):
        main()
