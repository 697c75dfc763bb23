"""Read the properties of an Outlook message by their numbers: texts, bytes, numbers and times (MS-OXMSG)."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ingest_assets.parsers.detection import encoding
from ingest_assets.parsers.rtf.text import code_page

if TYPE_CHECKING:
    from olefile import OleFileIO

MESSAGE_HEADER_BYTES = 32
"""Bytes before the list of properties of a message; 8 fewer for a message inside another."""

_STREAM, _LIST = "__substg1.0_", "__properties_version1.0"
_UNICODE, _BYTES_TEXT, _BINARY = "001F", "001E", "0102"
_CODE_PAGES = (0x3FFD, 0x3FDE)
_INTERNET_CODE_PAGE = 0x3FDE
_TIME_TYPE = 0x0040
# A message has some hundred properties; a longer list is damage.
_MAX_PROPERTIES = 10_000


class OutlookFolder:
    """Read a folder of the OLE file: the message, a recipient, or an attachment."""

    def __init__(self, file: OleFileIO, at: tuple[str, ...], *, header_bytes: int, page: str = "") -> None:
        self.file = file
        self.at = at
        self.code_page = page
        """Code page of its texts that are not Unicode; "" where it is detected for each text."""
        self._entries = {path[-1]: path for path in _below(file, at)}
        self._fixed = _fixed(self._stream(_LIST), header_bytes=header_bytes)

    def text(self, number: str) -> str:
        """Return a text, or "" where the property is missing."""
        if data := self._stream(f"{_STREAM}{number}{_UNICODE}"):
            return data.decode("utf-16-le", "replace").rstrip("\0")
        data = self._stream(f"{_STREAM}{number}{_BYTES_TEXT}")
        if data:
            return encoding.decode_bytes(data.rstrip(b"\0"), declared=self.code_page)
        return self._page(self._stream(f"{_STREAM}{number}{_BINARY}"))

    def binary(self, number: str) -> bytes:
        """Return bytes, or b"" where the property is missing."""
        return self._stream(f"{_STREAM}{number}{_BINARY}")

    def raw_text(self, number: str) -> bytes:
        """Return the bytes of a text that is not Unicode, or b""."""
        return self._stream(f"{_STREAM}{number}{_BYTES_TEXT}")

    def number(self, number: int, *, default: int) -> int:
        """Return a number, or the default where the property is missing."""
        value = self._fixed.get(number)
        return int(struct.unpack("<i", value[1][:4])[0]) if value else default

    def time(self, number: int) -> str:
        """Return a time as "YYYY-MM-DD hh:mm UTC", or "" where the property is missing."""
        value = self._fixed.get(number)
        if value is None or value[0] != _TIME_TYPE:
            return ""
        (ticks,) = struct.unpack("<Q", value[1])
        try:
            moment = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)
        except OverflowError:
            return ""
        return f"{moment:%Y-%m-%d %H:%M} UTC"

    def folders(self, prefix: str) -> list[str]:
        """List the folders in this one whose names begin with a prefix."""
        names = {path[len(self.at)] for path in self.file.listdir(streams=False, storages=True) if self._holds(path)}
        return sorted(name for name in names if name.startswith(prefix))

    def has_folder(self, name: str) -> bool:
        """Return whether this folder contains a folder of this name."""
        return name in self.folders(name)

    def inner(self, name: str, *, header_bytes: int) -> OutlookFolder:
        """Return a folder in this one."""
        return OutlookFolder(self.file, (*self.at, name), header_bytes=header_bytes, page=self.code_page)

    def _holds(self, path: list[str]) -> bool:
        return len(path) > len(self.at) and tuple(path[: len(self.at)]) == self.at

    def _stream(self, name: str) -> bytes:
        path = self._entries.get(name)
        if path is None:
            return b""
        with self.file.openstream(list(path)) as stream:
            data = stream.read()
        return data if isinstance(data, bytes) else b""

    def _page(self, data: bytes) -> str:
        """Decode an HTML body that is stored as bytes."""
        declared = code_page(self.number(_INTERNET_CODE_PAGE, default=0))
        return encoding.decode_bytes(data, declared="utf-8" if declared == "cp65001" else declared)


def code_page_of(message: OutlookFolder, numbers: tuple[str, ...]) -> str:
    """Return the code page of the texts of a message, detected on all of them together; "" if all are ASCII.

    A declared code page that decodes each byte is used; one that does not is still preferred among the likely ones.
    """
    sample = b"\n".join(message.raw_text(number) for number in numbers)
    declared = [name for number in _CODE_PAGES if (name := code_page(message.number(number, default=0)))]
    for name in declared:
        try:
            sample.decode(name)
        except (UnicodeError, LookupError):
            continue
        return name
    return "" if sample.isascii() else encoding.codec_of(sample, declared=declared[0] if declared else "")


def _below(file: OleFileIO, at: tuple[str, ...]) -> list[tuple[str, ...]]:
    paths = (tuple(path) for path in file.listdir(streams=True, storages=False))
    return [path for path in paths if len(path) == len(at) + 1 and path[: len(at)] == at]


def _fixed(data: bytes, *, header_bytes: int) -> dict[int, tuple[int, bytes]]:
    """Return type and value of the properties of at most eight bytes, by number."""
    entries = data[header_bytes : header_bytes + 16 * _MAX_PROPERTIES]
    whole = entries[: len(entries) // 16 * 16]
    return {number: (type_, value) for type_, number, _, value in struct.iter_unpack("<HHI8s", whole)}
