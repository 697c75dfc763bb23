"""Gather what `ingest status` says: counts by the index, problems by the ledger, what is wrong with the bucket."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ingest_assets.ledger_records import FileRecord
from ingest_assets.project import Project

_LOOK_S = 0.5
_BAD = ("failed", "partial", "out_of_memory", "quarantined")
_NAMED = 100
"""Files with problems that are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class ProjectStatus:
    """What is known of all files, and what needs a person."""

    states: dict[str, int]
    """Files by state."""
    oldest_pending_s: float
    """How long the oldest pending file has waited, in seconds."""
    left_s: float
    """Estimated time until nothing is pending, in seconds, by what the last files took; 0 if that is not known."""
    missing: int
    """Files of the ledger that the bucket did not show at the last look; they are purged later."""
    inbox: int
    """Keys that somebody named and that were not looked at yet."""
    messages: int
    """Messages about files that wait for their receivers."""
    oldest_message_s: float
    dead_letters: int
    """Messages that were given up; `ingest outbox` says why."""
    problems: tuple[FileRecord, ...]
    unnamed_problems: int
    misplaced: tuple[str, ...]
    """What is wrong with keys that name no user, project and file."""
    unreadable: tuple[str, ...]
    """What is wrong with the bucket, or with places in it, that cannot be read."""
    waiting_deletes: tuple[str, ...]
    """Deletes that wait for a person."""
    listed_s_ago: float | None
    """When the bucket was last listed to its end, in seconds before now; None if it never was."""

    @property
    def needs_a_person(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.problems or self.misplaced or self.unreadable or self.waiting_deletes)


def way_of(project: Project, file_id: str) -> str:
    """Say where a file is on its way, with its place in the queue; empty for a file that is at rest."""
    state = project.index.on_the_way(file_id)
    if not state.startswith("pending"):
        return state
    import dagster as dg

    from ingest_assets.defs.queue.waiting_runs import waiting_runs

    with dg.DagsterInstance.from_config(str(project.settings.home)) as instance:
        waiting = waiting_runs(instance)
    place = next((run for run in waiting if run.file_id == file_id), None)
    if place is None:
        return f"{state}: no run was asked for yet"
    soon = "" if place.expected_s is None else f", its run begins in about {place.expected_s:.0f} s"
    return f"{state}: place {place.place} of {len(waiting)} in the queue{soon}"


def look_at_project(project: Project) -> ProjectStatus:
    """Look at the bucket for half a second, and count.

    Raises:
        OutsideError: the store or the index database is away.
    """
    from ingest_assets.messaging.outbox_upkeep import count

    if not project.is_index_built():
        project.rebuild_index()
    noticed = project.noticing.look(within_s=_LOOK_S)
    counts, listing = project.pending.counts(), project.listing
    bad = project.index.problems(limit=_NAMED + 1)
    problems = tuple(record for name in bad[:_NAMED] if (record := project.store.file(name)) is not None)
    unreadable = [noticed.problem] if noticed.problem else []
    unreadable += [place.reason for place in listing.places(is_misplaced=False)]
    ended_at = listing.position().ended_at
    told = count(project.outbox)
    return ProjectStatus(
        states=counts.by_state,
        oldest_pending_s=counts.oldest_pending_s,
        left_s=counts.by_state.get("pending", 0) * counts.seconds_a_file,
        missing=counts.missing,
        inbox=project.inbox.depth(),
        messages=told.pending,
        oldest_message_s=round(told.oldest_s, 1),
        dead_letters=told.dead,
        problems=problems,
        unnamed_problems=sum(counts.by_state.get(state, 0) for state in _BAD) - len(problems),
        misplaced=tuple(place.reason for place in listing.places(is_misplaced=True)),
        unreadable=tuple(unreadable),
        waiting_deletes=tuple(str(each) for each in project.deletes.gone(limit=1)[1]),
        listed_s_ago=time.time() - ended_at if ended_at else None,
    )
