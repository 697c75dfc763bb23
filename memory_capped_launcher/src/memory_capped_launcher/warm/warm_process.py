"""Run the warm process, from which runs are forked: one per instance and code location on a host.

It has imported Dagster and the definitions. It holds one thread and no instance, connection or lock, because a fork
inherits what it holds. Each run is forked from it under a supervisor. As the supervisor's parent it notices when one
dies, and forks a reporter that names the run's end. It never serves with old code: when a file that it imported has
changed, it says so, takes no more requests, and ends when its runs are over. It also ends when all processes that asked
it for something are gone.

Between two runs it imports what its runs have imported again and again (`learning`).

It is started as `python -m memory_capped_launcher.warm.warm_process` with one JSON line on standard input. It writes
one line to standard output: `ready`, or why it cannot serve. From then on it is in the background.
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

from memory_capped_launcher.errors import LauncherError
from memory_capped_launcher.linux import adopt_orphans, thread_count
from memory_capped_launcher.register import Register
from memory_capped_launcher.request import RunRequest
from memory_capped_launcher.supervision.process_tree import descendants
from memory_capped_launcher.supervision.supervisor import supervise
from memory_capped_launcher.supervision.sweep import report_dead
from memory_capped_launcher.warm import learning, preload, protocol
from memory_capped_launcher.warm.background import fork, go_to_background, say_ready

_TICK_S = 1.0
_CLIENT_GRACE_S = 20.0  # so that a restarted daemon finds its warm process again
_REQUEST_TIMEOUT_S = 5.0


def main() -> None:
    """Import the code, then serve until no process needs it any more."""
    start = json.loads(sys.stdin.readline())
    environment = preload.environment_digest()
    go_to_background()
    preload.hold_threads()
    try:
        options = start["options"]
        preload.preload(
            start["repository_origin"],
            start["instance_ref"],
            modules=options["modules"],
            migrations=options["cache_migrations"],
        )
    except Exception as error:  # noqa: BLE001 - the outermost loop of a process; user code may raise anything
        traceback.print_exc()
        return say_ready(f"the definitions could not be imported: {type(error).__name__}: {error}")
    if thread_count() != 1:
        return say_ready(
            f"importing the definitions and preload_modules started {thread_count() - 1} threads, and a process with "
            "threads cannot fork"
        )
    gc.collect()
    gc.freeze()  # a collection would write to pages that children share
    folder = Path(start["folder"])
    server = protocol.listen(folder, start["name"])
    started_with = {"environment": environment, "version": start["version"], "options": start["options"]}
    warm = _Warm(server, path=folder / start["name"], started_with=started_with, idle_s=start["idle_s"])
    say_ready("")
    warm.serve()
    return None


class _Warm:
    def __init__(self, server: socket.socket, *, path: Path, started_with: dict[str, Any], idle_s: float) -> None:
        self._server = server
        self._path = path
        self._inode = path.stat().st_ino
        self._started_with = started_with
        self._imported = preload.ImportedFiles()
        self._learn_modules = started_with["options"]["learn_modules"]
        learning.forget(path.parent, self._learn_modules)
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
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is meant for what started this process

    def serve(self) -> None:
        """Answer requests until this process is to end and its last run is over."""
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
        if self._owns_socket():
            self._path.unlink(missing_ok=True)

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(_REQUEST_TIMEOUT_S)
        descriptors: list[int] = []
        try:
            request, descriptors = protocol.receive(connection)
            self._note_client(connection)
            reply = self._do(request, descriptors, connection)
        except (LauncherError, OSError, ValueError, TypeError, KeyError) as error:
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
        if thread_count() != 1:
            self._leave()
            return {"ok": False, "why": f"the warm process has {thread_count()} threads and cannot fork"}
        (lock,) = descriptors
        run = RunRequest.from_fields(request["run"])
        pid = self._fork(partial(supervise, run, lock), connection.fileno())
        self._runs[pid] = run
        return {"ok": True, "pid": pid}

    def _fork(self, work: Callable[[], None], *close: int) -> int:
        """Fork a child in which none of this process's files are open."""
        return fork(work, close=[*close, *self._open, self._server.fileno(), *self._clients.values()])

    def _stale(self, request: dict[str, Any]) -> str:
        """Return why this process is out of date for the request; empty if it is not."""
        if request["environment"] != self._started_with["environment"]:
            return "the environment variables changed"
        # A launcher that does not know which version is loaded sends an empty one.
        if request["version"] not in ("", self._started_with["version"]):
            return "the code location was loaded anew with other definitions"
        if request.get("options", self._started_with["options"]) != self._started_with["options"]:
            return "preload_modules, learn_modules or cache_migrations changed in the run launcher's config"
        changed = self._imported.what_changed()
        return f"{changed} changed" if changed else ""

    def _reap(self) -> None:
        """Collect ended children; report the runs of dead supervisors and kill the processes they left behind."""
        ended = _ended_children()
        for pid in ended:
            self._reporters.discard(pid)
            run = self._runs.pop(pid, None)
            if run is not None and Register(run.root).knows(run.run_id):
                self._reporters.add(self._fork(partial(report_dead, run)))
        for stray in set(_children()) - self._runs.keys() - self._reporters:
            for one in [*descendants(stray), stray]:
                with suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)
        if ended and not self._leaving:
            self._learn()

    def _learn(self) -> None:
        """Import what runs import again and again; leave if what is imported already has changed meanwhile."""
        folder = self._path.parent
        names = learning.learned(folder, self._learn_modules)
        if not names:
            return None
        if self._imported.what_changed():
            return self._leave()
        learning.import_all(names)
        learning.forget(folder, names)
        gc.collect()
        gc.freeze()
        self._imported = preload.ImportedFiles()
        return None

    def _note_client(self, connection: socket.socket) -> None:
        """Remember the process that asks; this process ends when all of them are gone."""
        pid = protocol.peer_pid(connection)
        self._sees_clients = self._sees_clients and pid != 0
        if pid and pid not in self._clients:
            with suppress(OSError):
                self._clients[pid] = os.pidfd_open(pid)

    def _is_done(self) -> bool:
        """Return whether this process has no run and nothing to wait for, or its socket is gone."""
        for pid, descriptor in list(self._clients.items()):
            if select.select([descriptor], [], [], 0)[0]:
                os.close(self._clients.pop(pid))
        if self._runs:
            return False
        alone = self._sees_clients and not self._clients
        wait_s = min(_CLIENT_GRACE_S, self._idle_s) if alone else self._idle_s
        return not self._owns_socket() or time.monotonic() - self._asked_at > wait_s

    def _owns_socket(self) -> bool:
        """Return whether the socket at the path is still this process's."""
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
