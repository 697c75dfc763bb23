"""A zip file's directory in, the word that it may be unpacked; and its XML without what makes bombs of it.

Office documents, OpenDocument files and EPUB books are zip files, and nothing in them is trusted. The directory is
checked before anything is unpacked: members, sizes, ratios, encryption. (Python's `zipfile` never gives more bytes than
the directory declares and then compares checksums, so a size that lies ends in an error, not in memory.)
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

# A presentation of 500 slides has some 3,000 members; zipfile takes 1 kB of memory for each.
MAX_MEMBERS = 50_000
# lxml holds 5 to 8 times the size of the XML: 100 MB is what a run of 1 GB can still parse.
MAX_XML_BYTES = 100_000_000
# Below 10 MB unpacked the ratio does not matter: sheets of equal rows reach 300.
_RATIO_FROM_BYTES = 10_000_000

# What a damaged zip file raises, from zipfile and from the decompressors behind it.
ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, UnicodeDecodeError),
    *(ValueError, OverflowError),
)


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip file; its members are still to be checked.

    Raises:
        BadInput: truncated, or no zip file.
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
    """Check what all members come to.

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
    """Check one member by what the directory says of it.

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
    """Check a member that is parsed as a whole.

    Raises:
        BadInput: larger than what fits in memory as a tree.
    """
    if member.file_size > MAX_XML_BYTES:
        name = repr(member.filename[:100])
        raise BadInput(f"{name} has {_mb(member.file_size)} of XML, over {_mb(MAX_XML_BYTES)}; split the document")


def refuse_doctype(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Refuse a document type definition. Only what stands before the first tag is read: it may stand nowhere else.

    Raises:
        BadInput: the member has one, or is not XML.
    """
    with archive.open(member) as file:
        _check_prolog(file, name=member.filename)


def parse_xml(data: bytes) -> etree._Element:
    """Parse a member of a package: no entities, no network, libxml2's bounds on."""
    from lxml import etree

    return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False))


class _FirstTagError(Exception):
    """The prolog is over: nothing dangerous stood in it."""


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
    except (expat.ExpatError, LookupError, ValueError) as error:  # the two are for encodings that it does not know
        raise BadInput(f"{name!r} in it is not XML ({error}); save it again from its program") from error


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
