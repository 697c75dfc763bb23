"""Wait for what other processes do, at little cost: a test that polls shares two processors with what it waits for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ingest_assets.index.file_answers import LedgerRow
from ingest_assets.ledger_records import FileRecord
from ingest_assets.project import Project


def until(condition: Callable[[], Any], *, what: str, timeout_s: float = 240, every_s: float = 0.2) -> Any:
    """Poll until something is so, and return it."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(every_s)
    raise AssertionError(f"after {timeout_s:.0f} s still not so: {what}")


class PolledLedger:
    """The ledger's entries, read from the store when the index tells of a change.

    An embedded Chroma that another process has written to is opened anew to be read: half a second of processor time.
    """

    def __init__(self, project: Project) -> None:
        """Take the project that the other processes work on."""
        self._project = project
        self._known: dict[str, tuple[LedgerRow | None, FileRecord | None]] = {}

    def record(self, file_id: str) -> FileRecord | None:
        """Return a file's entry; None if there is none."""
        row = self._project.index.row(file_id)
        if file_id not in self._known or self._known[file_id][0] != row:
            self._known[file_id] = (row, self._project.store.file(file_id))
        return self._known[file_id][1]
