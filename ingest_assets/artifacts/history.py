"""What attempts at files needed in, the same out for the next file: a short memory on disk, one file per media type.

Kept beside the artifacts and not in the ledger: it also tells of attempts that ended without a record, and losing it
costs nothing but a few attempts that are larger than they need be.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from ingest_assets.artifacts.slices import write_whole
from ingest_assets.local_files import locked
from ingest_assets.stages.first_window import Experience

_KEPT = 400  # a look-alike is found among the newest; reading them takes a millisecond


class History:
    """The newest experiences of each media type."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, media_type: str) -> list[Experience]:
        """Return what is known of a media type, oldest first; a damaged line is left out."""
        found = []
        with suppress(FileNotFoundError):
            for line in self._path(media_type).read_bytes().splitlines():
                with suppress(msgspec.MsgspecError):
                    found.append(msgspec.json.decode(line, type=Experience))
        return found

    def media_types(self) -> list[str]:
        """Return the media types of which something is known."""
        return sorted(path.stem.replace("+", "/", 1) for path in self._folder.glob("*.jsonl"))

    def add(self, experience: Experience) -> None:
        """Keep an experience.

        Raises:
            OutsideError: the disk is full or cannot be written.
        """
        with locked(self._folder / ".lock"):
            kept = [*self.of(experience.media_type), experience][-_KEPT:]
            lines = b"".join(msgspec.json.encode(one) + b"\n" for one in kept)
            write_whole(self._path(experience.media_type), lines)

    def _path(self, media_type: str) -> Path:
        return self._folder / f"{media_type.replace('/', '+', 1)}.jsonl"
