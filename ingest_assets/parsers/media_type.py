"""A file's first bytes in, its media type out. The name decides nothing but between kinds of text.

The signatures stand here because `puremagic` 1.30, asked on 73 real files, called every OLE file (encrypted OOXML,
Outlook messages) a Word document, a DOCX named .doc and an EPUB with 0.4 confidence a Word document, and knew no kind
of text; it is asked last, so that a message can name the binary types that this project does not read.
"""

from __future__ import annotations

import re
import struct
import zipfile
from pathlib import Path

from ingest_assets.errors import BadInput
from ingest_assets.parsers import archives, encoding

VERSION = "2"
"""Goes up whenever the same bytes yield another type."""

EMPTY = "application/x-empty"
UNKNOWN = "application/octet-stream"
PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
JSON_LINES = "application/x-ndjson"
SOURCE = "text/x-source"
ENCRYPTED_OOXML = "application/x-ole-encrypted-ooxml"

_HEAD_BYTES = 1 << 16
_MAIL = "message/rfc822"

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

# Main parts of OOXML packages as [Content_Types].xml names them; macros and templates are read as documents.
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

# Streams by which an OLE file shows what it is.
_OLE_STREAMS = (
    ("EncryptedPackage", ENCRYPTED_OOXML),
    ("__properties_version1.0", "application/vnd.ms-outlook"),
    ("WordDocument", "application/msword"),
    ("PowerPoint Document", "application/vnd.ms-powerpoint"),
    ("Workbook", "application/vnd.ms-excel"),
    ("Book", "application/vnd.ms-excel"),
)

# What people write for machines: its lines and their indents are kept.
_SOURCE_SUFFIXES = (
    *(".py", ".pyi", ".js", ".mjs", ".jsx", ".ts", ".tsx", ".java", ".kt", ".scala", ".groovy", ".c", ".h", ".cc"),
    *(".cpp", ".cxx", ".hpp", ".cs", ".fs", ".vb", ".go", ".rs", ".swift", ".m", ".rb", ".php", ".pl", ".pm", ".lua"),
    *(".r", ".jl", ".dart", ".ex", ".exs", ".erl", ".hs", ".clj", ".sh", ".bash", ".zsh", ".ps1", ".bat", ".cmd"),
    *(".sql", ".css", ".scss", ".less", ".proto", ".tf", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf"),
)

_TEXT_SUFFIXES = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".mdown": "text/markdown",
    ".mkd": "text/markdown",
    ".csv": "text/csv",
    ".tsv": "text/csv",
    ".tab": "text/csv",
    ".htm": "text/html",
    ".html": "text/html",
    ".xhtml": "text/html",
    ".xml": "application/xml",
    ".json": "application/json",
    ".jsonl": JSON_LINES,
    ".ndjson": JSON_LINES,
    **dict.fromkeys((".eml", ".mht", ".mhtml", ".mbox"), _MAIL),
    **dict.fromkeys(_SOURCE_SUFFIXES, SOURCE),
}


def detect(path: Path, *, filename: str) -> str:
    """Name the media type of the content.

    Never raises for what is in the file: unknown binary data is `application/octet-stream`, no data `EMPTY`.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        return EMPTY
    # A PDF may have up to 1 kB of something else in front (ISO 32000-1, H.3).
    if b"%PDF-" in head[:1024]:
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
    return _of_text(path, head, filename=filename)


def _is_bitmap(head: bytes) -> bool:
    """Tell a Windows bitmap from a text that begins with BM: it has one of seven lengths of header."""
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
    except archives.ZIP_ERRORS:
        return _of_broken_zip(head)
    return "application/zip"


def _of_ooxml(content_types: bytes) -> str:
    for main in _MAIN_PART.findall(content_types):
        for mark, media_type in _OOXML_KINDS:
            if mark in main:
                return media_type
    return "application/zip"


def _of_broken_zip(head: bytes) -> str:
    """Say what a truncated archive was, by the names of its first members, so that its parser names the damage."""
    for name, media_type in ((b"word/", DOCX), (b"ppt/", PPTX), (b"xl/", XLSX)):
        if b"[Content_Types].xml" in head[:4096] and name in head:
            return media_type
    if head[30:38] == b"mimetype":
        return re.split(rb"[^\w./+-]", head[38:120], maxsplit=1)[0].decode("ascii")
    return DOCX if b"[Content_Types].xml" in head[:4096] else "application/zip"


def _of_ole(path: Path) -> str:
    """Name an OLE file by the streams in its outermost folder: what is attached or embedded lies deeper."""
    import olefile

    try:
        with olefile.OleFileIO(str(path)) as file:
            found = {name[0] for name in file.listdir(streams=True, storages=False) if len(name) == 1}
    except (OSError, ValueError, IndexError, TypeError, RecursionError, struct.error):
        found = _names_in(path)
    return next((media_type for name, media_type in _OLE_STREAMS if name in found), "application/x-ole-storage")


def _names_in(path: Path) -> set[str]:
    """Look for the streams' names in a damaged file, where they lie, so that its parser can name the damage."""
    tail = b""
    found: set[str] = set()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            data = tail + block
            found.update(name for name, _ in _OLE_STREAMS if name.encode("utf-16-le") + b"\0\0" in data)
            tail = block[-128:]
    return found


def _of_text(path: Path, head: bytes, *, filename: str) -> str:
    try:
        codec = encoding.of_head(head)
    except BadInput:
        return _of_binary(path)
    text = head.decode(codec or "latin-1", "replace").lstrip("\ufeff")
    lower = text.lstrip().lower()
    suffix = _TEXT_SUFFIXES.get(Path(filename).suffix.lower(), "")
    if _is_html(lower):
        return "text/markdown" if suffix == "text/markdown" and not _HTML_START.match(lower) else "text/html"
    if lower.startswith("<?xml") or re.match(r"<!doctype\s|<(\w+:)?[\w-]+\s[^>]*\bxmlns", lower):
        return "application/xml"
    if _is_mail(lower, suffix=suffix):
        return _MAIL
    return suffix if suffix and _fits(suffix, lower) else _guess(lower)


_HTML_START = re.compile(r"(<\?xml[^>]*\?>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*+<(!doctype\s+html|html[\s>])", re.DOTALL)
_HTML_TAG = re.compile(r"<(html|head|body|title|table|div|p|h[1-6]|ul|ol|br|span|a|meta|script|style)(\s[^<>]*)?/?>")
_MAIL_FIELD = re.compile(
    r"(?m)^(received|return-path|message-id|mime-version|content-type|delivered-to|dkim-signature):", re.ASCII
)
_MAIL_START = re.compile(r"(from [^\n]*\n)?[a-z][a-z0-9-]*:[ \t]", re.ASCII)


def _is_mail(lower: str, *, suffix: str) -> bool:
    """Tell mail from a memo that begins with "From:": it has fields that only machines write, or the name says so."""
    if not _MAIL_START.match(lower):
        return False
    headers = re.split(r"\r?\n\r?\n", lower, maxsplit=1)[0]
    return suffix == _MAIL or len(set(_MAIL_FIELD.findall(headers))) >= 2


def _is_html(lower: str) -> bool:
    if _HTML_START.match(lower):
        return True
    if lower.startswith("<?xml"):
        return False
    # A fragment: it begins with a tag, and has closing ones. Markdown with some HTML in it begins otherwise.
    return bool(_HTML_TAG.match(lower)) and len(re.findall(r"</(\w+)>", lower[:20_000])) >= 1


def _fits(suffix: str, lower: str) -> bool:
    """Tell whether the content allows what the name says; CSV and Markdown can look like anything."""
    if suffix == "text/html":
        return bool(_HTML_TAG.search(lower))
    if suffix == JSON_LINES:
        return lower.startswith(("{", "["))
    return suffix in {"text/csv", "text/markdown", SOURCE}


def _guess(lower: str) -> str:
    if re.match(r"\{[^\n]*\}[ \t\r]*\n\{[^\n]*\}[ \t\r]*(\n|$)", lower):
        return JSON_LINES
    return "application/json" if re.match(r'\{\s*["}]|\[\s*["\[{\]]', lower) else "text/plain"


def _of_binary(path: Path) -> str:
    import puremagic

    try:
        matches = puremagic.magic_file(str(path))
    except (puremagic.PureError, ValueError, OSError):
        return UNKNOWN
    best = matches[0] if matches else None
    return best.mime_type if best and best.mime_type and best.confidence >= 0.8 else UNKNOWN
