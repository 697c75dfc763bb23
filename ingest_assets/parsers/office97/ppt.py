"""Read a PowerPoint presentation of 1997 to 2003 (PPT): one part per slide, with title, texts and notes.

The drawings, which say on which slide a picture stands, are not read: all pictures come with the last slide.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building.damage import naming_damage
from ingest_assets.parsers.building.part_builder import MAX_TITLE_CHARS, PartBuilder
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.office97 import office_pictures
from ingest_assets.parsers.office97.ppt_records import PptRecords, SlideText
from ingest_assets.records import ElementType, Part

VERSION = "1"
PART = "slide"

_WHAT = "a PowerPoint presentation"
# CurrentUserAtom.headerToken of a presentation that is encrypted (MS-PPT 2.3.2).
_ENCRYPTED = 0xF3D1C4DF


def count_pages(path: Path, *, limits: Limits) -> int:
    """Count the slides.

    Raises:
        BadInput: damaged, encrypted, or more slides than the limit.
    """
    return len(_slides(path, limits=limits)[0])


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield the slides.

    Raises:
        BadInput: damaged, encrypted, or more slides than the limit.
    """
    builder = PartBuilder(limits=limits, start=start)
    slides, drawn = _slides(path, limits=limits)
    for page_number, slide in enumerate(slides, start=1):
        for words in slide:
            _add(words, builder=builder, page_number=page_number)
        if page_number == len(slides):
            for picture in office_pictures.pictures(drawn):
                builder.add_picture(picture, page_number=page_number)
        yield from builder.flush(page_number=page_number)
    yield from builder.rest()


def _add(words: SlideText, *, builder: PartBuilder, page_number: int) -> None:
    if words.is_title and len(words.text) < MAX_TITLE_CHARS:
        builder.add(ElementType.TITLE, " ".join(words.text.split()), page_number=page_number, level=1)
        return
    for line in words.text.split("\n"):
        builder.add(ElementType.NARRATIVE_TEXT, line, page_number=page_number)


def _slides(path: Path, *, limits: Limits) -> tuple[list[list[SlideText]], bytes]:
    """Return the texts of all slides, which are small, and the stream of pictures."""
    import olefile

    with naming_damage(_WHAT), olefile.OleFileIO(str(path)) as file:
        data, user, drawn = (
            bytes(file.openstream(name).read()) if file.exists(name) else b""
            for name in ("PowerPoint Document", "Current User", "Pictures")
        )
        if len(user) < 20:
            raise BadInput("the presentation is damaged (its last edit is not named); save it again from its program")
        token, edit_at = struct.unpack_from("<12xII", user)
        if token == _ENCRYPTED or file.exists("EncryptedSummary"):
            raise BadInput("the presentation is encrypted; upload it without a password")
        slides = list(islice(PptRecords(data, edit_at=edit_at).slides(), limits.max_pages + 1))
    if len(slides) > limits.max_pages:
        raise BadInput(f"it has more slides than the limit of {limits.max_pages:,}; split it")
    return slides, drawn
