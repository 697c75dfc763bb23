"""Start runs within a second or two of an event, in a small resident process: the work of `ingest listen`.

Dagster looks at a sensor every five seconds at best. This process waits at the queue of the bucket's events, looks at
the keys that they name, and puts the runs into Dagster's queue. Keys that `ingest notify` or another program puts
into the inbox are looked at as quickly.

It does only what is urgent. The listing of the bucket, deletes and the making of the index stay with the sensor
`upload_bucket`, which asks for no runs of files as long as this process does. It opens neither the vector store nor a
model, which keeps it small.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

import dagster as dg

from ingest_assets.config.settings import Settings
from ingest_assets.defs.definitions import build
from ingest_assets.defs.noticing.event_sensor import say_reading
from ingest_assets.defs.noticing.sensors import ingest_requests
from ingest_assets.defs.noticing.wanted_runs import Wanted, choose
from ingest_assets.defs.partitions import add_partitions
from ingest_assets.defs.queue.queue_submission import RunQueue
from ingest_assets.errors import BadInput, ConfigError, OutsideError
from ingest_assets.messaging.delivery import deliver_due
from ingest_assets.messaging.heartbeat import EVENTS_LISTENER, RUNS_LISTENER, beat, stop_beating
from ingest_assets.messaging.lease import hold, let_go
from ingest_assets.messaging.resident_loop import ResidentAction, repeat_until_stopped
from ingest_assets.messaging.sqs import LONGEST_WAIT_S, EventQueue
from ingest_assets.project import Project
from ingest_assets.records import BucketObject
from memory_capped_launcher.supervision.connections import kept_connections
from memory_capped_launcher.warm.migrations import cache_migrations

SUBMITTED_BY = "listen"
_LOOK_EVERY_S = 1.0
_DELIVER_EVERY_S = 1.0
_DELIVER_S = 20.0
_BEAT_EVERY_S = 5.0
_DRAIN_S = 5.0
"""A burst of events is handed over after so long, although more may wait."""
_TAKEN = 200
"""Keys looked at before runs are asked for: each costs a request to the bucket."""


def listen(settings: Settings, *, stop: Event, log: Callable[[str], None]) -> None:
    """Receive events, start runs and deliver the outbox until `stop` is set.

    Raises:
        ConfigError: another process listens in this home; the settings or the index are those of another release.
        OutsideError: the instance or the index database is away at the start. Later outages are waited for.
    """
    cache_migrations()  # Dagster reads 89 scripts for each run that it creates: most of the time that one takes
    project = Project(settings)
    with _only_one(settings.home), dg.DagsterInstance.from_config(str(settings.home)) as instance:
        queue = RunQueue(instance, build(settings), submitted_by=SUBMITTED_BY)
        urgent = UrgentRuns(instance, project, queue)
        runs = ResidentAction("runs", urgent.start, every_s=_LOOK_EVERY_S)
        actions = [runs]
        if project.event_queue is not None:
            receiving = _Receiving(project, project.event_queue, runs.wake)
            actions.append(ResidentAction("events", receiving.receive, every_s=0.0))
        actions.append(ResidentAction("outbox", lambda: _deliver(project), every_s=_DELIVER_EVERY_S))
        try:
            repeat_until_stopped(actions, stop=stop, log=log)
        finally:
            urgent.stop()
            with suppress(OutsideError):
                for name in (RUNS_LISTENER, EVENTS_LISTENER):
                    stop_beating(project.database, name, process=_process())


class UrgentRuns:
    """Asks for the runs of files that somebody named, and of those that are pending.

    Of the listeners of several hosts that share a database one does this, as long as it renews its lease.
    """

    def __init__(self, instance: dg.DagsterInstance, project: Project, queue: RunQueue, *, host: str = "") -> None:
        self._instance, self._project, self._queue = instance, project, queue
        self._heart = _Heart(project, RUNS_LISTENER)
        # Without the process's number: the next listener of a home goes on where a killed one had the lease.
        self._holder = f"{host or socket.gethostname()}:{project.settings.home.absolute()}"
        self._leads, self._asked_again_at = False, 0.0

    def start(self) -> str:
        """Look at the keys in the inbox, and put the runs that are needed into the queue; say what was done."""
        if not self._project.is_index_of_this_store():
            return ""  # the sensor has it made; until then it cannot be said what is pending
        before = self._leads
        if not self._lead():
            return "a listener of another host asks for the runs; this one waits" if before else ""
        self._heart.beat()  # first: from here on the sensor asks for no runs of files
        try:
            return self._start() if before else self._resume() or self._start()
        except Exception:
            self.stop()  # the sensor, or a listener of another host, takes over until this works again
            raise

    def stop(self) -> None:
        """Let others take over at once."""
        self._heart.stop()
        self._leads = False
        self._asked_again_at = 0.0
        with suppress(OutsideError):  # the database is away, too: the lease grows old by itself
            let_go(self._project.database, RUNS_LISTENER, holder=self._holder)

    def _lead(self) -> bool:
        """Tell whether this listener asks for the runs; asked every few seconds, as each time is a commit."""
        if time.monotonic() >= self._asked_again_at:
            self._leads = hold(self._project.database, RUNS_LISTENER, holder=self._holder)
            self._asked_again_at = time.monotonic() + _BEAT_EVERY_S
        return self._leads

    def _resume(self) -> str:
        """Queue the runs that the listener before had only created."""
        resumed = self._queue.resume()
        return f"{len(resumed)} that an earlier listener had only created are in the queue now" if resumed else ""

    def _start(self) -> str:
        looked_at = self._look()
        wanted = Wanted()
        choose(wanted, self._instance, self._project)
        count = self._project.settings.shards
        add_partitions(self._instance, [each.file_id for each in wanted.ingest], count=count)
        self._submit(ingest_requests(self._instance, wanted, shards=count))
        if not looked_at and not wanted.ingest:
            return ""
        return f"{looked_at} keys looked at, {len(wanted.ingest)} runs asked for"

    def _submit(self, requests: Sequence[dg.RunRequest]) -> None:
        if not requests:
            return
        with kept_connections(on=True):  # as runs do: creating one takes half the time, docs/decisions/events.md
            for request in requests:
                if not self._lead():  # it was late, and another listener has asked for the others by now
                    return
                self._queue.submit(request)
                self._heart.beat()

    def _look(self) -> int:
        """Look at keys in the inbox, and again at files that may have been growing."""
        is_marked = bool(self._project.bucket.identity())  # raises where the bucket is away: no run could read a file
        entries = {entry.key: entry for entry in self._project.inbox.take(_TAKEN)}
        keys = dict.fromkeys([*entries, *self._project.pending.growing(limit=_TAKEN)])
        found, failures, asked_at = dict[str, BucketObject | None](), dict[str, OutsideError](), time.time()
        for key in keys:
            try:
                found[key] = self._project.bucket.stat(key)
            except BadInput:  # the bucket takes no such key, so there is nothing to look at
                continue
            except OutsideError as error:  # another place may be well; this key stays in the inbox
                failures[key] = error
        if found:
            self._project.looks.keys(found, may_miss=is_marked, asked_at=asked_at)
        looked_at = [entry for key, entry in entries.items() if key not in failures]
        self._project.inbox.done(looked_at)
        if failures:
            self._project.inbox.postpone(entry for key, entry in entries.items() if key in failures)
        if failures and not found:
            raise next(iter(failures.values()))
        return len(looked_at)


class _Receiving:
    """Receives events as they come."""

    def __init__(self, project: Project, queue: EventQueue, arrived: Event) -> None:
        self._queue, self._arrived = queue, arrived
        self._heart = _Heart(project, EVENTS_LISTENER)

    def receive(self) -> str:
        """Wait for events and put their keys into the inbox; say what came."""
        found = self._queue.drain(within_s=_DRAIN_S, wait_s=LONGEST_WAIT_S)
        self._heart.beat()
        if not found.messages:
            return ""
        if found.keys:
            self._arrived.set()
        return say_reading(found)


def _deliver(project: Project) -> str:
    """Send what is due in the outbox; say what was sent."""
    done = deliver_due(project.outbox, project.settings, within_s=_DELIVER_S)
    return str(done) if done.sent or done.failed or done.refused else ""


class _Heart:
    """Renews a heartbeat, every few seconds at most: each time is a commit."""

    def __init__(self, project: Project, name: str) -> None:
        self._project, self._name = project, name
        self._due = 0.0

    def beat(self) -> None:
        if time.monotonic() >= self._due:
            beat(self._project.database, self._name, process=_process())
            self._due = time.monotonic() + _BEAT_EVERY_S

    def stop(self) -> None:
        self._due = 0.0
        with suppress(OutsideError):  # the database is away, too: the heartbeat grows old by itself
            stop_beating(self._project.database, self._name, process=_process())


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Hold the home's lock of listeners, which ends with the process.

    Raises:
        ConfigError: another process holds it.
    """
    with (home / "listen.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"another `ingest listen` runs in {home} already; stop it first") from None
        yield


def _process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
