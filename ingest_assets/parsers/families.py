"""Choose the parser of a media type, or refuse the type with what the file is and what the user can do."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import cast

from ingest_assets.errors import BadInput
from ingest_assets.parsers.contract import Limits, PagedParser, Parser
from ingest_assets.parsers.detection import media_type as types
from ingest_assets.parsers.detection.text_type import JSON_LINES, SOURCE

_ODF = "application/vnd.oasis.opendocument."

_PARSERS = {
    types.PDF: "pdf.parser",
    types.DOCX: "docx.parser",
    types.PPTX: "pptx.parser",
    types.XLSX: "xlsx.parser",
    "text/plain": "text.plain",
    "application/json": "text.json_text",
    "application/xml": "xml.parser",
    "text/markdown": "html.markdown",
    "text/html": "html.parser",
    "text/csv": "text.csv_rows",
    "message/rfc822": "mail.eml",
    "application/vnd.ms-outlook": "mail.outlook",
    "application/rtf": "rtf.parser",
    "application/epub+zip": "epub.parser",
    **dict.fromkeys((_ODF + "text", _ODF + "text-template"), "opendocument.odt"),
    **dict.fromkeys((_ODF + "spreadsheet", _ODF + "spreadsheet-template"), "opendocument.ods"),
    **dict.fromkeys((_ODF + "presentation", _ODF + "presentation-template", _ODF + "graphics"), "opendocument.odp"),
    "application/msword": "office97.doc",
    "application/vnd.ms-excel": "office97.xls",
    "application/vnd.ms-powerpoint": "office97.ppt",
    "application/zip": "zip_archive",
    JSON_LINES: "text.json_lines",
    SOURCE: "text.source_code",
    **dict.fromkeys(("image/png", "image/jpeg", "image/gif", "image/bmp", "image/tiff", "image/webp"), "image"),
}

# Files of these families contain documents of any other family.
_CONTAINERS = {"zip_archive", "mail.eml", "mail.outlook"}

_LATER = "cannot be read yet"
_UNPACK = "unpack it and upload the documents in it"
_NOT_A_DOCUMENT = "it holds no document text"

_REFUSED = {
    types.EMPTY: ("an empty file (0 bytes)", "upload it again"),
    types.ENCRYPTED_OOXML: ("an Office document that is encrypted", "upload it without a password"),
    "application/vnd.ms-excel.sheet.binary": ("a binary Excel workbook", "save it as .xlsx"),
    "application/vnd.ms-outlook-pst": ("an Outlook mailbox", _LATER),
    "application/x-ole-storage": ("an OLE file of an unknown kind", "save it as .docx, .xlsx, .pptx or PDF"),
    "application/vnd.ms-tnef": ("a mail's attachments as Outlook packs them (TNEF)", "save them on their own"),
    "application/gzip": ("a gzip archive", _UNPACK),
    "application/x-bzip2": ("a bzip2 archive", _UNPACK),
    "application/x-xz": ("an xz archive", _UNPACK),
    "application/zstd": ("a zstd archive", _UNPACK),
    "application/x-7z-compressed": ("a 7z archive", _UNPACK),
    "application/vnd.rar": ("a RAR archive", _UNPACK),
    "application/x-tar": ("a tar archive", _UNPACK),
    "application/x-executable": ("a program", _NOT_A_DOCUMENT),
    "application/vnd.sqlite3": ("an SQLite database", "export its tables as CSV"),
    "application/vnd.apache.parquet": ("a Parquet table", "export it as CSV"),
    types.UNKNOWN: ("binary data of an unknown type", "upload PDF, DOCX, PPTX, XLSX, HTML, Markdown, CSV or text"),
}

_REFUSED_KINDS = {
    "image": ("a picture of a format that is not read", "save it as PNG, JPEG, TIFF or WEBP"),
    "audio": ("a sound recording", _NOT_A_DOCUMENT),
    "video": ("a film", _NOT_A_DOCUMENT),
    "font": ("a font", _NOT_A_DOCUMENT),
}

# Suffixes of binary documents. Plain text under such a name is a failed download (an error page), not a document.
_BINARY_SUFFIXES = {
    *(".docx", ".docm", ".pptx", ".pptm", ".xlsx", ".xlsm", ".odt", ".ods", ".odp", ".pdf", ".epub", ".msg", ".zip"),
    *(".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".webp"),
}


def parser_for(media_type: str, *, filename: str) -> Parser:
    """Import the parser of a media type and return it.

    Raises:
        BadInput: no parser reads this type, or the file name belongs to a binary format and the content is text.
    """
    suffix = Path(filename).suffix.lower()
    if media_type == "text/plain" and suffix in _BINARY_SUFFIXES:
        raise BadInput(f"{filename}: named {suffix}, but its content is plain text; upload the original file again")
    if media_type not in _PARSERS:
        raise BadInput(f"{filename}: {_refusal(media_type)}")
    return _imported(_PARSERS[media_type])


def count_pages(parser: Parser, path: Path, *, limits: Limits) -> int:
    """Count the pages, slides or sheets of a file; 0 for a format that flows.

    Raises:
        BadInput: the file cannot be opened (truncated, encrypted, too many pages), with the reason.
    """
    return cast("PagedParser", parser).count_pages(path, limits=limits) if hasattr(parser, "count_pages") else 0


def version_of(media_type: str, parser: Parser) -> str:
    """Return the versions of all parsers that may read a part of such a file: all of them for a container."""
    if _PARSERS.get(media_type) not in _CONTAINERS:
        return parser.VERSION
    return " ".join(f"{name}:{_imported(name).VERSION}" for name in sorted(set(_PARSERS.values())))


def _imported(name: str) -> Parser:
    return cast("Parser", import_module(f"ingest_assets.parsers.{name}"))


def _refusal(media_type: str) -> str:
    kind = media_type.partition("/")[0]
    what, remedy = _REFUSED.get(media_type) or _REFUSED_KINDS.get(kind) or ("a file of a type that is not read", _LATER)
    return f"{what} ({media_type}): {remedy}" if media_type != types.EMPTY else f"{what}: {remedy}"
