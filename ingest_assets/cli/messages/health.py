"""Name what is wrong with messages: with the queue of events, and with what could not be read or delivered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ingest_assets.config.settings import Settings
from ingest_assets.errors import OutsideError
from ingest_assets.messaging.heartbeat import EVENTS_LISTENER, is_beating
from memory_capped_launcher.host.plan import HostProblem

if TYPE_CHECKING:
    from ingest_assets.project import Project

_MANY = 1000
"""Messages that a tick of the sensor receives at once; more of them wait only if nothing receives them."""


def message_problems(settings: Settings) -> Iterator[HostProblem]:
    """Ask the queue and the tables of messages; nothing is received, sent or made."""
    from ingest_assets.project import Project

    project = Project(settings, prepares=False)
    try:
        if settings.instance_db.get_secret_value() or (settings.home / "index.db").exists():
            yield from _kept_problems(project)
        yield from _queue_problems(project)
    except OutsideError as error:
        what, _, todo = str(error).partition(". ")
        yield HostProblem(what, todo or "it is tried again; look at it if it lasts")


def _kept_problems(project: Project) -> Iterator[HostProblem]:
    from ingest_assets.messaging.outbox_upkeep import count

    if unreadable := project.inbox.count_set_aside():
        yield HostProblem(
            f"{unreadable} different messages of the queue of events could not be read",
            "`ingest inbox` names them; the listing finds what they may have meant",
        )
    if dead := count(project.outbox).dead:
        yield HostProblem(
            f"{dead} messages about files were given up",
            "`ingest outbox` says why; `ingest outbox --replay all` sends them again when their receiver is well",
        )


def _queue_problems(project: Project) -> Iterator[HostProblem]:
    queue = project.event_queue
    waiting = queue.waiting() if queue is not None else 0
    if waiting >= _MANY:
        receiver = "`ingest listen`" if is_beating(project.database, EVENTS_LISTENER) else "the daemon"
        yield HostProblem(
            f"about {waiting} messages wait in the queue of events",
            f"is {receiver} running, and are its errors in the log?",
        )
