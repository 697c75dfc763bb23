"""Requests at a socket in, forked runs out: the warm process, one per instance and code location on a host.

It has Dagster and the definitions imported and holds one thread, no instance, no connection and no lock: what a fork
may inherit. Each run is forked from it under a supervisor; as the supervisor's parent it notices when one dies, and has
a forked reporter name the end. It does not serve with old code: when a file that it imported changed, it says so, takes
no more requests, and leaves when its runs are over. It leaves, too, when all that asked it for something are gone.

Started as `python -m memory_capped_launcher.warm.warm_process` with one JSON line on standard input; writes one line to
standard output when it serves, or when it cannot and why, and is in the background from then on.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from ingest_assets.errors import IngestError
from memory_capped_launcher.linux import adopt_orphans, threads
from memory_capped_launcher.register import Register
from memory_capped_launcher.request import RunRequest
from memory_capped_launcher.supervision.process_tree import descendants
from memory_capped_launcher.supervision.supervisor import supervise
from memory_capped_launcher.supervision.sweep import report_dead
from memory_capped_launcher.warm import preload, protocol
from memory_capped_launcher.warm.background import fork, go_to_background, say_ready

_TICK_S = 1.0
_CLIENT_GRACE_S = 20.0  # a daemon that is restarted finds its warm process again
_REQUEST_TIMEOUT_S = 5.0


def main() -> None:
    """Import, then serve until there is nobody left to serve."""
    start = json.loads(sys.stdin.readline())
    environment = preload.environment_digest()
    go_to_background()
    preload.hold_threads()
    try:
        preload.preload(start["repository_origin"], start["instance_ref"], modules=start["modules"])
    except Exception as error:  # noqa: BLE001 - the outermost loop of a process; user code may raise anything
        traceback.print_exc()
        return say_ready(f"the definitions could not be imported: {type(error).__name__}: {error}")
    if threads() != 1:
        return say_ready(
            f"importing the definitions and preload_modules started {threads() - 1} threads, and a process with "
            "threads cannot fork"
        )
    gc.collect()
    gc.freeze()  # the collector would write to pages that children share
    folder = Path(start["folder"])
    server = protocol.listen(folder, start["name"])
    made_of = {"environment": environment, "version": start["version"]}
    warm = _Warm(server, path=folder / start["name"], made_of=made_of, idle_s=start["idle_s"])
    say_ready("")
    warm.serve()
    return None


class _Warm:
    def __init__(self, server: socket.socket, *, path: Path, made_of: dict[str, str], idle_s: float) -> None:
        self._server = server
        self._path = path
        self._inode = path.stat().st_ino
        self._made_of = made_of
        self._fingerprint = preload.Fingerprint()
        self._idle_s = idle_s
        self._runs: dict[int, RunRequest] = {}
        self._reporters: set[int] = set()
        self._clients: dict[int, int] = {}
        self._asked_at = time.monotonic()
        self._sees_clients = True
        self._leaving = False
        adopt_orphans()
        self._wake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._open = [self._wake, wake]
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._leave)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal that started us is not for us

    def serve(self) -> None:
        """Answer until it is time to leave and the last run has ended."""
        while not (self._leaving and not self._runs and not self._reporters):
            sources = [self._wake] if self._leaving else [self._wake, self._server.fileno()]
            ready, _, _ = select.select(sources, [], [], _TICK_S)
            with suppress(BlockingIOError):
                os.read(self._wake, 4096)
            self._reap()
            if self._server.fileno() in ready:
                connection, _ = self._server.accept()
                with connection:
                    self._answer(connection)
            self._leaving = self._leaving or self._is_done()
        if self._is_ours():
            self._path.unlink(missing_ok=True)

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(_REQUEST_TIMEOUT_S)
        descriptors: list[int] = []
        try:
            request, descriptors = protocol.receive(connection)
            self._note_client(connection)
            reply = self._do(request, descriptors, connection)
        except (IngestError, OSError, ValueError, TypeError, KeyError) as error:
            reply = {"ok": False, "why": f"{type(error).__name__}: {error}"}
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        protocol.answer(connection, reply)

    def _do(self, request: dict[str, Any], descriptors: list[int], connection: socket.socket) -> dict[str, Any]:
        self._asked_at = time.monotonic()
        if request["op"] == "leave":
            self._leave()
            return {"ok": True}
        if stale := self._stale(request):
            self._leave()
            return {"ok": False, "stale": True, "why": stale}
        if request["op"] == "ping":
            return {"ok": True, "pid": os.getpid(), "runs": len(self._runs)}
        if threads() != 1:
            self._leave()
            return {"ok": False, "why": f"the warm process has {threads()} threads and cannot fork"}
        (lock,) = descriptors
        run = RunRequest.from_fields(request["run"])
        pid = self._fork(partial(supervise, run, lock), connection.fileno())
        self._runs[pid] = run
        return {"ok": True, "pid": pid}

    def _fork(self, work: Callable[[], None], *close: int) -> int:
        """Fork, with nothing of this process's left open in the child."""
        return fork(work, close=[*close, *self._open, self._server.fileno(), *self._clients.values()])

    def _stale(self, request: dict[str, Any]) -> str:
        """Return why this process is no longer made of what the launcher wants run; empty where it is."""
        if request["environment"] != self._made_of["environment"]:
            return "the environment variables changed"
        # A launcher that does not know which version is loaded asks for none.
        if request["version"] not in ("", self._made_of["version"]):
            return "the code location was loaded anew"
        changed = self._fingerprint.what_changed()
        return f"{changed} changed" if changed else ""

    def _reap(self) -> None:
        """Take note of ended children; have a dead supervisor's run reported, and end what it left behind."""
        for pid in _ended_children():
            self._reporters.discard(pid)
            run = self._runs.pop(pid, None)
            if run is not None and Register(run.root).knows(run.run_id):
                self._reporters.add(self._fork(partial(report_dead, run)))
        for stray in set(_children()) - self._runs.keys() - self._reporters:
            for one in [*descendants(stray), stray]:
                with suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)

    def _note_client(self, connection: socket.socket) -> None:
        """Remember who asks, so as to leave when all of them are gone."""
        pid = protocol.peer_pid(connection)
        self._sees_clients = self._sees_clients and pid != 0
        if pid and pid not in self._clients:
            with suppress(OSError):
                self._clients[pid] = os.pidfd_open(pid)

    def _is_done(self) -> bool:
        for pid, descriptor in list(self._clients.items()):
            if select.select([descriptor], [], [], 0)[0]:
                os.close(self._clients.pop(pid))
        if self._runs:
            return False
        alone = self._sees_clients and not self._clients
        patience = min(_CLIENT_GRACE_S, self._idle_s) if alone else self._idle_s
        return not self._is_ours() or time.monotonic() - self._asked_at > patience

    def _is_ours(self) -> bool:
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    def _leave(self, *_: object) -> None:
        self._leaving = True


def _ended_children() -> list[int]:
    pids = []
    with suppress(ChildProcessError):
        while pid := os.waitpid(-1, os.WNOHANG)[0]:
            pids.append(pid)
    return pids


def _children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


if __name__ == "__main__":
    main()
