"""Detect a file's media type from its first bytes. Its name decides only between kinds of text.

The project has its own signatures because `puremagic` 1.30 failed on 73 real files: it called every OLE file (encrypted
OOXML, Outlook messages) a Word document, did the same with 0.4 confidence for an EPUB and a DOCX named .doc, and
distinguished no kinds of text. It is asked last, so that an error message can name binary types that cannot be read.
"""

from __future__ import annotations

import re
import struct
import zipfile
from pathlib import Path

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building.zip_safety import ZIP_ERRORS
from ingest_assets.parsers.detection.text_type import text_type

VERSION = "3"
"""Increased when the same bytes give another type."""

EMPTY = "application/x-empty"
UNKNOWN = "application/octet-stream"
PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ENCRYPTED_OOXML = "application/x-ole-encrypted-ooxml"

_HEAD_BYTES = 1 << 16

_SIGNATURES = (
    (0, b"{\\rtf", "application/rtf"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"II+\0", "image/tiff"),
    (0, b"MM\0+", "image/tiff"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypavif", "image/avif"),
    (40, b" EMF", "image/emf"),
    (0, b"\xd7\xcd\xc6\x9a", "image/wmf"),
    # Excel 2 to 4, without the OLE file around it.
    (0, b"\x09\x08\x10\0", "application/vnd.ms-excel"),
    (0, b"\x09\x04\x06\0", "application/vnd.ms-excel"),
    (0, b"\x09\x02\x06\0", "application/vnd.ms-excel"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\0", "application/x-xz"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (257, b"ustar", "application/x-tar"),
    (0, b"\x7fELF", "application/x-executable"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (0, b"PAR1", "application/vnd.apache.parquet"),
    (0, b"!BDN", "application/vnd.ms-outlook-pst"),
    (0, b"\x78\x9f\x3e\x22", "application/vnd.ms-tnef"),
)

# Names of main parts in [Content_Types].xml of OOXML packages. Files with macros and templates are read as documents.
_OOXML_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"wordprocessingml", DOCX),
    (b"presentationml", PPTX),
    (b"spreadsheetml", XLSX),
    (b"ms-word", DOCX),
    (b"ms-powerpoint", PPTX),
    (b"ms-excel.sheet.binary", "application/vnd.ms-excel.sheet.binary"),
    (b"ms-excel", XLSX),
)
_MAIN_PART = re.compile(rb'ContentType\s*=\s*["\']([^"\']*?\bmain\+xml|[^"\']*sheet\.binary[^"\']*main)["\']')

# Names of streams that show the type of an OLE file.
_OLE_STREAMS = (
    ("EncryptedPackage", ENCRYPTED_OOXML),
    ("__properties_version1.0", "application/vnd.ms-outlook"),
    ("WordDocument", "application/msword"),
    ("PowerPoint Document", "application/vnd.ms-powerpoint"),
    ("Workbook", "application/vnd.ms-excel"),
    ("Book", "application/vnd.ms-excel"),
)


def detect(path: Path, *, filename: str) -> str:
    """Return the media type of the content: `UNKNOWN` for unknown binary data, `EMPTY` for an empty file.

    No content raises an exception.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        return EMPTY
    # A PDF may have up to 1 kB of something else in front (ISO 32000-1, H.3).
    if head.startswith(b"%PDF-") or (b"%PDF-" in head[:1024] and _has_objects(path)):
        return PDF
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _of_zip(path, head)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _of_ole(path)
    for offset, signature, media_type in _SIGNATURES:
        if head.startswith(signature, offset):
            return media_type
    if _is_bitmap(head):
        return "image/bmp"
    try:
        return text_type(head, filename=filename)
    except BadInput:
        return _of_binary(path)


def _has_objects(path: Path) -> bool:
    """Tell a PDF with other bytes before it from a text that mentions "%PDF-"."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        file.seek(max(0, path.stat().st_size - 2048))
        return b" obj" in head or b"startxref" in file.read()


def _is_bitmap(head: bytes) -> bool:
    """Tell a Windows bitmap from a text that begins with "BM": its header has one of seven lengths."""
    return head.startswith(b"BM") and head[15:18] == b"\0\0\0" and head[14:15] in b"\x0c\x10\x28\x34\x38\x40\x6c\x7c"


def _of_zip(path: Path, head: bytes) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if "mimetype" in names and archive.getinfo("mimetype").file_size < 200:
                return archive.read("mimetype").decode("ascii", "replace").strip()
            if "META-INF/container.xml" in names:
                return "application/epub+zip"
            if "[Content_Types].xml" in names and archive.getinfo("[Content_Types].xml").file_size < 10_000_000:
                return _of_ooxml(archive.read("[Content_Types].xml"))
    except ZIP_ERRORS:
        return _of_broken_zip(head)
    return "application/zip"


def _of_ooxml(content_types: bytes) -> str:
    for main in _MAIN_PART.findall(content_types):
        for mark, media_type in _OOXML_KINDS:
            if mark in main:
                return media_type
    return "application/zip"


def _of_broken_zip(head: bytes) -> str:
    """Return the type of a truncated archive by its first members' names, so that its parser reports the damage."""
    for name, media_type in ((b"word/", DOCX), (b"ppt/", PPTX), (b"xl/", XLSX)):
        if b"[Content_Types].xml" in head[:4096] and name in head:
            return media_type
    if head[30:38] == b"mimetype":
        return re.split(rb"[^\w./+-]", head[38:120], maxsplit=1)[0].decode("ascii")
    return DOCX if b"[Content_Types].xml" in head[:4096] else "application/zip"


def _of_ole(path: Path) -> str:
    """Return the type of an OLE file by the streams in its outermost folder; attachments lie deeper."""
    import olefile

    try:
        with olefile.OleFileIO(str(path)) as file:
            found = {name[0] for name in file.listdir(streams=True, storages=False) if len(name) == 1}
    except (OSError, ValueError, IndexError, TypeError, RecursionError, struct.error):
        found = _names_in(path)
    return next((media_type for name, media_type in _OLE_STREAMS if name in found), "application/x-ole-storage")


def _names_in(path: Path) -> set[str]:
    """Search a damaged OLE file for the names of streams, so that its parser can report the damage."""
    tail = b""
    found: set[str] = set()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            data = tail + block
            found.update(name for name, _ in _OLE_STREAMS if name.encode("utf-16-le") + b"\0\0" in data)
            tail = block[-128:]
    return found


def _of_binary(path: Path) -> str:
    import puremagic

    try:
        matches = puremagic.magic_file(str(path))
    except (puremagic.PureError, ValueError, OSError):
        return UNKNOWN
    best = matches[0] if matches else None
    return best.mime_type if best and best.mime_type and best.confidence >= 0.8 else UNKNOWN
