"""Define what is found in an earlier system: a row of a document, and a file that the system knows.

The systems do not say how their rows are made. So each source hands its rows over as they are, and `fields.py` finds
text, vector, pages and owner by their usual names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ingest_assets.records import Vector


@dataclass(frozen=True, slots=True)
class FoundRow:
    """One chunk as an earlier system kept it."""

    user_id: str
    """Empty where the row names no user."""
    project_id: str
    name: str
    """Of the document: the file's name, or what the system called its source."""
    chunk_id: str
    text: str
    index: int | None = None
    """Place in the document; None where the row does not say."""
    pages: tuple[int, ...] = ()
    section: tuple[str, ...] = ()
    vector: Vector | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """All other fields of the row, as JSON values."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that an earlier system knows, beside its rows."""

    user_id: str
    project_id: str
    name: str
    summary: str = ""


class Source(Protocol):
    """An earlier system. Nothing in it is changed."""

    def found(self) -> Iterator[FoundRow | FoundFile]:
        """Yield everything, in the same order each time; the rows of a document may lie apart.

        Raises:
            ConfigError: there is no such place, or nothing of the expected form in it.
            OutsideError: the place does not answer.
        """
        ...
