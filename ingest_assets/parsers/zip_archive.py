"""A zip archive in, the documents in it out, one after the other, each below its name.

Nothing is unpacked under a name from the archive: members go through temporary files. What is encrypted, a bomb or
named to lead out of the folder is left out with a warning; what all of them come to is bounded (`embedded.py`).
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
from ingest_assets.parsers.embedded import Documents
from ingest_assets.records import Part

VERSION = "4"
PART = "block of text"

_UTF8_NAME = 0x800
# What systems leave behind in zip_safety.
_LITTER = {"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"}


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield the parts of each document in the archive, in the order of its directory.

    Raises:
        BadInput: truncated, too many or too large members, or nothing in it can be read.
    """
    builder = PartBuilder(limits=limits, start=start)
    documents = Documents(builder=builder, limits=limits)
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
    """Give a member's name; one that does not say in which alphabet it is was written on somebody's Windows."""
    name = member.filename
    if not member.flag_bits & _UTF8_NAME and not name.isascii():
        try:
            name = encoding.decode_bytes(name.encode("cp437"))
        except UnicodeEncodeError:
            name = member.filename
    return name.replace("\\", "/")
