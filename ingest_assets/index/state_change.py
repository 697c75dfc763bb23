"""Define what is told about a file when its state changes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ingest_assets.ledger_records import State


class PassingState(StrEnum):
    """Where a file is on its way; how an attempt ended is a `State` of the ledger."""

    PENDING = "pending"
    """New or changed in the bucket, and not begun."""
    PROCESSING = "processing"
    REMOVED = "removed"


FileState = State | PassingState
"""Every state of a file that is told."""
FILE_STATES: dict[str, FileState] = {
    state.value: state for state in (PassingState.PENDING, PassingState.PROCESSING, *State, PassingState.REMOVED)
}
"""By name, in the order in which a file has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """A file's state, stage or result as it is from now on."""

    file_id: str
    user_id: str
    project_id: str
    filename: str
    key: str
    state: FileState
    version: str = ""
    """Bucket version of the file that the state is about."""
    stage: str = ""
    """Asset that is being made; only while processing."""
    percent: int = 0
    """How much of the file is done, 0 to 100; only while processing."""
    generation: int = 0
    """The set of chunks in force."""
    chunks: int = 0
    pages: int = 0
    quarantined: tuple[int, ...] = ()
    """Numbers of the parts that could not be read."""
    error: str = ""
    at: str = ""
    """UTC, ISO 8601."""
