"""Have pages drawn, one at a time, each in a capped process of its own, and keep what was drawn beside the artifacts.

The service holds everybody's connections and the model, so no file is opened in its process. One page is drawn at a
time, because a host of 4 GB has memory for one beside a run. What was drawn is kept under the hash of the file's bytes
and goes when the file goes; it can be made again at any time, so the oldest pages go when a file has many.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Lock
from typing import TYPE_CHECKING

import msgspec

from ingest_assets.api.pictures.page_child import PageAnswer, PageRequest
from ingest_assets.api.problems import ApiProblem, too_many
from ingest_assets.errors import OutsideError
from ingest_assets.ledger_records import FileRecord
from ingest_assets.stages.retrieval import page_image

if TYPE_CHECKING:
    from ingest_assets.project import Project

_KEPT = "page_pictures"
_KEPT_PAGES = 300
"""Of one file: 60 MB of dense pages."""
_DRAWING_MB = 480
"""A page of 40 million pixels and PDFium's copy of it take 350 MB; the libraries take the rest."""
_OCR_MB = 800
"""Of addresses that may be written: the models hold 350 MB of them in memory (clients/ocr/reader.py)."""
_PROCESSOR_S = 60
_LONGEST_S = 120.0
_PATIENCE_S = 60.0
"""A request waits so long for the pages that others look at."""
# OCR's arenas and threads, as where runs use it (clients/ocr/rapidocr_captioner.py)
_ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


class PagePictures:
    """The pictures of pages of one project's files."""

    def __init__(self) -> None:
        self._drawing = Lock()

    def image(self, project: Project, record: FileRecord, page_number: int) -> bytes:
        """Return a page as WebP.

        Raises:
            ApiProblem: it cannot be drawn, or too many wait for theirs.
            OutsideError: the bucket or the place of the artifacts is away.
        """
        data, _ = self._page(project, record, page_number)
        return data

    def words(self, project: Project, record: FileRecord, page_number: int) -> PageAnswer:
        """Return the words of a page with their boxes; without a text layer, OCR finds them if the settings allow it.

        Raises:
            ApiProblem: it cannot be drawn, or too many wait for theirs.
            OutsideError: the bucket or the place of the artifacts is away.
        """
        data, answer = self._page(project, record, page_number)
        if answer.words or project.settings.captions == "off":
            return answer
        _, read = self._kept(project, record, f"{page_number:06d}-words", lambda: _read(project, data))
        return read

    def _page(self, project: Project, record: FileRecord, page_number: int) -> tuple[bytes, PageAnswer]:
        return self._kept(project, record, f"{page_number:06d}", lambda: _drawn(project, record, page_number))

    def _kept(
        self, project: Project, record: FileRecord, what: str, make: Callable[[], bytes]
    ) -> tuple[bytes, PageAnswer]:
        """Return what is kept, or make it."""
        of_this_version = f"{record.sha256[:32]}-{page_image.VERSION}-"
        name = of_this_version + what
        shelf = project.artifacts.beside(_KEPT, record.file_id)
        if (kept := shelf.read(name)) is not None:
            return _taken_apart(kept)
        if not self._drawing.acquire(timeout=_PATIENCE_S):
            raise too_many("pages_wait", "many pages are being drawn; ask again", retry_after_s=10)
        try:
            if (kept := shelf.read(name)) is None:  # another request may have had it made meanwhile
                kept = make()
                others = shelf.names()
                stale = [other for other in others if not other.startswith(of_this_version)]
                for other in stale or others[: max(0, len(others) - _KEPT_PAGES)]:
                    shelf.remove(other)
                shelf.write(name, kept)
        finally:
            self._drawing.release()
        return _taken_apart(kept)


def can_be_drawn(record: FileRecord) -> bool:
    """Tell whether a file's pages have pictures."""
    return record.media_type in page_image.DRAWN and bool(record.sha256)


def _taken_apart(kept: bytes) -> tuple[bytes, PageAnswer]:
    head, _, data = kept.partition(b"\n")
    answer = msgspec.json.decode(head, type=PageAnswer)
    if answer.problem:
        raise ApiProblem(404, "no_page_picture", answer.problem)
    return data, answer


def _drawn(project: Project, record: FileRecord, page_number: int) -> bytes:
    """Have a page drawn; what a file is to blame for is an answer too, and is kept."""
    found = project.bucket.stat(record.key)
    if found is None or found.version != record.version:
        raise ApiProblem(
            409, "file_changed", f"{record.filename[:200]!r} has changed since it was read; ask again later"
        )
    with project.bucket.local(record.key, version=record.version) as path:
        asked = _request(project, path, media_type=record.media_type, page_number=page_number, memory_mb=_DRAWING_MB)
        return _asked(asked)


def _read(project: Project, picture: bytes) -> bytes:
    """Have the words in the picture of a page found."""
    with NamedTemporaryFile(suffix=".webp") as file:
        file.write(picture)
        file.flush()
        asked = _request(project, Path(file.name), media_type=page_image.MEDIA_TYPE, page_number=1, memory_mb=_OCR_MB)
        settings = project.settings
        languages, models = tuple(settings.ocr_languages.split(",")), str(settings.ocr_model_dir or "")
        return _asked(replace(asked, languages=languages, models=models))


def _request(project: Project, path: Path, *, media_type: str, page_number: int, memory_mb: int) -> PageRequest:
    return PageRequest(
        path=str(path),
        media_type=media_type,
        page_number=page_number,
        max_pages=project.settings.max_pages,
        max_picture_pixels=project.settings.max_picture_pixels,
        memory_mb=memory_mb,
        seconds=_PROCESSOR_S,
    )


def _asked(asked: PageRequest) -> bytes:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "ingest_assets.api.pictures.page_child"],
            input=msgspec.json.encode(asked),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | _ENVIRONMENT,
            timeout=_LONGEST_S,
        )
    except subprocess.TimeoutExpired:
        raise OutsideError(
            f"the page was not drawn within {_LONGEST_S:.0f} s; read the text beside, or ask again"
        ) from None
    if done.returncode == -signal.SIGKILL:  # the host has no memory for it, or a person: not the file's fault
        raise OutsideError("the process that draws the page was killed; ask again")
    if done.returncode:
        return _problem("the process that draws the page gave up on it; read the text beside")
    return done.stdout


def _problem(detail: str) -> bytes:
    return msgspec.json.encode(PageAnswer(problem=detail)) + b"\n"
