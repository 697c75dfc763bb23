"""Read a zip archive as a folder: each document in it is read by its own parser, under its name.

Members are unpacked to temporary files, never under a name from the archive. A member that is encrypted, a
decompression bomb or has a name that points outside the archive is left out with a warning. The total size of all
members is limited (`embedded.py`).
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building import zip_safety
from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.detection import encoding
from ingest_assets.parsers.embedded import EmbeddedDocuments
from ingest_assets.records import Part

VERSION = "4"
PART = "block of text"

_UTF8_NAME = 0x800
# Files that operating systems add to archives.
_LITTER = {"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"}


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield the parts of each document, in the order of the archive's directory.

    Raises:
        BadInput: truncated, too many or too large members, or no document in it can be read.
    """
    builder = PartBuilder(limits=limits, start=start)
    documents = EmbeddedDocuments(builder=builder, limits=limits)
    with zip_safety.opened(path) as archive:
        zip_safety.check_total(archive, limits=limits)
        for member in archive.infolist():
            name = _name(member)
            if member.is_dir() or _LITTER.intersection(name.split("/")):
                continue
            try:
                _check(member, name=name, limits=limits)
                source = archive.open(member)
            except BadInput as error:
                documents.warn(name, error)
                continue
            except zip_safety.ZIP_ERRORS as error:
                documents.warn(name, BadInput(f"damaged ({error})"))
                continue
            with source:
                yield from documents.parts(source, name=name, level=1)
    if builder.number == 0 and builder.warnings:
        raise BadInput(f"nothing in the archive can be read: {'; '.join(builder.warnings[:3])}")
    yield from builder.rest()


def _check(member: zipfile.ZipInfo, *, name: str, limits: Limits) -> None:
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts or (len(name) > 1 and name[1] == ":"):
        raise BadInput("its name leads out of the archive; pack it under a plain name")
    zip_safety.check_member(member, limits=limits)


def _name(member: zipfile.ZipInfo) -> str:
    """Return the name of a member.

    A name without the UTF-8 flag was usually written in the code page of a Windows system, which is detected.
    """
    name = member.filename
    if not member.flag_bits & _UTF8_NAME and not name.isascii():
        try:
            name = encoding.decode_bytes(name.encode("cp437"))
        except UnicodeEncodeError:
            name = member.filename
    return name.replace("\\", "/")
