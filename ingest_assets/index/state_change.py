"""Define what is told about a file when its state changes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FileState(StrEnum):
    """Where a file is on its way."""

    PENDING = "pending"
    """New or changed in the bucket, and not begun."""
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    """Published without the parts that could not be read."""
    EMPTY = "empty"
    """Read completely, and it contains no text."""
    FAILED = "failed"
    OUT_OF_MEMORY = "out_of_memory"
    """An attempt ended at its memory cap; a smaller one follows."""
    QUARANTINED = "quarantined"
    """It needs more memory than its cap at any window; it is tried again when it or the settings change."""
    CANCELLED = "cancelled"
    """A person cancelled its run. It stays so until the file changes or somebody asks for it."""
    REMOVED = "removed"


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
