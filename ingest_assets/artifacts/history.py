"""Remember how much memory attempts at files needed, so that the next file starts with a window that fits.

One file per media type holds the newest attempts. They lie in the artifacts' folder and not in the ledger because
attempts that ended without a record count too. Losing them costs only a few attempts with too large a window.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from ingest_assets.artifacts.slices import write_whole
from ingest_assets.local_files import locked
from ingest_assets.stages.planning.first_window import Experience

_KEPT = 400  # similar files are found among the newest; reading them takes a millisecond


class History:
    """The newest attempts of each media type."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, media_type: str) -> list[Experience]:
        """Return the attempts at files of a media type, oldest first; a damaged line is skipped."""
        found = []
        with suppress(FileNotFoundError):
            for line in self._path(media_type).read_bytes().splitlines():
                with suppress(msgspec.MsgspecError):
                    found.append(msgspec.json.decode(line, type=Experience))
        return found

    def media_types(self) -> list[str]:
        """Return the media types that have attempts."""
        return sorted(path.stem.replace("+", "/", 1) for path in self._folder.glob("*.jsonl"))

    def add(self, experience: Experience) -> None:
        """Add an attempt.

        Raises:
            OutsideError: the disk is full or cannot be written.
        """
        with locked(self._folder / ".lock"):
            kept = [*self.of(experience.media_type), experience][-_KEPT:]
            lines = b"".join(msgspec.json.encode(one) + b"\n" for one in kept)
            write_whole(self._path(experience.media_type), lines)

    def _path(self, media_type: str) -> Path:
        return self._folder / f"{media_type.replace('/', '+', 1)}.jsonl"
