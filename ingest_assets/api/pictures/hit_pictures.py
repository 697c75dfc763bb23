"""Say which pictures stand in a chunk, from the captions that the file's run has kept.

A chunk holds the caption, and the text that was read from the picture, where the picture stood. So a picture stands in
a chunk if one of its lines does. The captions of the files that were found last are held, since a search meets the same
files again and again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from ingest_assets.actions.documents import captions_of
from ingest_assets.errors import OutsideError
from ingest_assets.records import Caption, Chunk
from ingest_assets.stages.upkeep.optimize import caption_lines

if TYPE_CHECKING:
    from ingest_assets.project import Project

_FILES = 500
_MOST_CAPTIONS = 500
"""Captions held of one file; a file with more is read each time."""
_FRESH_S = 10.0
"""A file's captions are looked at again after this time."""


@dataclass(frozen=True, slots=True)
class _Held:
    looked_at: float
    captions: tuple[tuple[Caption, frozenset[str]], ...]


class HitPictures:
    """The captions of the files that searches found last."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._holding = Lock()

    def of(self, chunk: Chunk, *, project: Project) -> list[Caption]:
        """Return the captions of the pictures that stand in a chunk."""
        return [
            caption
            for caption, lines in self._captions(chunk.file_id, project)
            if (not chunk.pages or caption.page_number is None or caption.page_number in chunk.pages)
            and any(line in chunk.text for line in lines)
        ]

    def _captions(self, file_id: str, project: Project) -> tuple[tuple[Caption, frozenset[str]], ...]:
        now = time.monotonic()
        with self._holding:
            held = self._held.get(file_id)
        if held is not None and now - held.looked_at < _FRESH_S:
            return held.captions
        try:
            rows = captions_of(project, file_id).values()
        except OutsideError:  # what is kept of the file is damaged, as validation says; its text was found all the same
            return ()
        found = tuple((row, frozenset(caption_lines([row]))) for row in rows)
        if len(found) <= _MOST_CAPTIONS:
            with self._holding:
                self._held[file_id] = _Held(now, found)
                self._held.move_to_end(file_id)
                while len(self._held) > _FILES:
                    self._held.popitem(last=False)
        return found
