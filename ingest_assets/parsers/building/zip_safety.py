"""Refuse zip files that are not safe to unpack, and XML in them that could expand without bound.

Office documents, OpenDocument files and EPUB books are zip files, and nothing in them is trusted. The directory is
checked before anything is unpacked: number of members, sizes, ratios, encryption. (Python's `zipfile` never returns
more bytes than the directory declares, and then compares checksums. A wrong size ends in an error, not in memory.)
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING
from xml.parsers import expat

from ingest_assets.errors import BadInput
from ingest_assets.parsers.contract import Limits

if TYPE_CHECKING:
    from lxml import etree

# A presentation of 500 slides has about 3,000 members; zipfile needs 1 kB of memory for each.
MAX_MEMBERS = 50_000
# lxml needs 5 to 8 times the size of the XML: a run with 1 GB can parse 100 MB.
MAX_XML_BYTES = 100_000_000
# Members below 10 MB unpacked may have any ratio: sheets of equal rows reach 300.
_RATIO_FROM_BYTES = 10_000_000

# Exceptions that a damaged zip file causes in zipfile and in the decompressors that it uses.
ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, UnicodeDecodeError),
    *(ValueError, OverflowError),
)


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip file without checking its members.

    Raises:
        BadInput: truncated, or not a zip file.
    """
    try:
        archive = zipfile.ZipFile(path)
    except ZIP_ERRORS as error:
        raise BadInput(f"the file is damaged or truncated ({error}); save or upload it again") from error
    with archive:
        yield archive


def check(archive: zipfile.ZipFile, *, limits: Limits) -> None:
    """Check every member of a package.

    Raises:
        BadInput: too many members, too large unpacked, encrypted, or a bomb.
    """
    check_total(archive, limits=limits)
    for member in archive.infolist():
        check_member(member, limits=limits)


def check_total(archive: zipfile.ZipFile, *, limits: Limits) -> None:
    """Check the number of members and their total size.

    Raises:
        BadInput: too many members, or too large unpacked.
    """
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise BadInput(f"the package holds {len(members):,} members, over the limit of {MAX_MEMBERS:,}")
    total = sum(member.file_size for member in members)
    if total > limits.max_unpacked_bytes:
        raise BadInput(f"unpacked it has {_mb(total)}, over the limit of {_mb(limits.max_unpacked_bytes)}")


def check_member(member: zipfile.ZipInfo, *, limits: Limits) -> None:
    """Check what the directory says about one member.

    Raises:
        BadInput: encrypted, or a bomb.
    """
    name = repr(member.filename[:100])
    if member.flag_bits & 1:
        raise BadInput(f"{name} in it is encrypted; upload it without a password")
    ratio = member.file_size / max(1, member.compress_size)
    if member.file_size > _RATIO_FROM_BYTES and ratio > limits.max_archive_ratio:
        raise BadInput(
            f"{name} unpacks to {ratio:,.0f} times its size, over the limit of {limits.max_archive_ratio}:"
            " no document does that"
        )


def check_xml_size(member: zipfile.ZipInfo) -> None:
    """Check the size of a member that is parsed into one tree.

    Raises:
        BadInput: the tree would not fit in memory.
    """
    if member.file_size > MAX_XML_BYTES:
        name = repr(member.filename[:100])
        raise BadInput(f"{name} has {_mb(member.file_size)} of XML, over {_mb(MAX_XML_BYTES)}; split the document")


def refuse_doctype(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Refuse a member with a document type definition. Reads only up to the first tag: it cannot come later.

    Raises:
        BadInput: the member has a document type definition, or is not XML.
    """
    with archive.open(member) as file:
        _check_prolog(file, name=member.filename)


def parse_xml(data: bytes) -> etree._Element:
    """Parse a member of a package without entities or network, within libxml2's own bounds."""
    from lxml import etree

    return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False))


class _FirstTagError(Exception):
    """The prolog ended without a document type definition."""


def _check_prolog(file: IO[bytes], *, name: str) -> None:
    def refuse(*_: object) -> None:
        raise BadInput(f"{name!r} in it has a document type definition, which office documents may not; save it again")

    def stop(*_: object) -> None:
        raise _FirstTagError

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = stop
    try:
        while block := file.read(4096):
            parser.Parse(block, False)
        parser.Parse(b"", True)
    except _FirstTagError:
        return
    except (expat.ExpatError, LookupError, ValueError) as error:  # the last two: an encoding that expat does not know
        raise BadInput(f"{name!r} in it is not XML ({error}); save it again from its program") from error


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
