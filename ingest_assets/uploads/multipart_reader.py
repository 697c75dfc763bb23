"""Take the parts out of a multipart body while it arrives, and refuse it as soon as a limit is passed.

Starlette's own reader writes each file to a temporary file before the application sees a byte, sets no limit on files,
and holds a whole request on disk (starlette #849). Here the pieces of a file are handed on as they come, so what is in
memory is one piece, and a body is refused in the middle, with the name of the part. The parser is the one that
Starlette uses too (`python_multipart`); its callbacks are turned into the events below.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from ingest_assets.errors import BadInput
from ingest_assets.uploads.names import shown

MAX_FIELDS = 64
MAX_FIELD_BYTES = 65_536
_MAX_HEADER_BYTES = 4_096
_MAX_HEADERS = 8
# urllib3 before 2.0 writes names that are not ASCII in this way, against RFC 7578, section 4.2.
_EXTENDED_NAME = re.compile(r"filename\*\s*=\s*utf-8'[^']*'([^;\s]+)", re.IGNORECASE)


class TooMuch(BadInput):
    """A body holds more than the limits allow."""


class NoForm(BadInput):
    """A body is no form with files."""


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """What one body may hold."""

    max_files: int
    max_file_bytes: int


@dataclass(frozen=True, slots=True)
class TextField:
    """A field that is no file."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class FileBegin:
    """The head of a file."""

    field: str
    filename: str


@dataclass(frozen=True, slots=True)
class FileBytes:
    """The next bytes of the file that began last."""

    data: bytes


@dataclass(frozen=True, slots=True)
class FileEnd:
    """The file that began last is whole."""


BodyEvent = TextField | FileBegin | FileBytes | FileEnd


class MultipartReader:
    """Reads one body."""

    def __init__(self, content_type: str, *, limits: BodyLimits) -> None:
        """Take the value of the header Content-Type.

        Raises:
            BadInput: it is not that of a form with files, or names no boundary.
        """
        from python_multipart.exceptions import FormParserError
        from python_multipart.multipart import MultipartParser, parse_options_header

        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data":
            raise NoForm("the body: Content-Type is not multipart/form-data; send a form with files")
        if not options.get(b"boundary"):
            raise BadInput("the body: Content-Type names no boundary; let the client's library write this header")
        self._limits = limits
        self._events: list[BodyEvent] = []
        self._headers: dict[bytes, bytes] = {}
        self._name, self._value = bytearray(), bytearray()
        self._field, self._text = "", bytearray()
        self._file: FileBegin | None = None
        self._fields = self._files = self._file_bytes = 0
        self._is_whole = False
        try:
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._headers.clear,
                    "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._part_begin,
                    "on_part_data": self._part_data,
                    "on_part_end": self._part_end,
                    "on_end": self._end,
                },
                max_header_count=_MAX_HEADERS,
                max_header_size=_MAX_HEADER_BYTES,
            )
        except FormParserError as error:
            raise BadInput("the body: the boundary is too long; let the client's library write it") from error

    def feed(self, data: bytes) -> Iterator[BodyEvent]:
        """Take the next bytes of the body and yield what is complete, and each piece of a file.

        Raises:
            TooMuch: naming the part that passes a limit.
            BadInput: the body does not follow its boundary, or a part has no name.
        """
        from python_multipart.exceptions import FormParserError

        try:
            self._parser.write(data)
        except FormParserError as error:
            raise BadInput(
                f"the body{self._place()}: it does not follow the boundary that Content-Type names, or its headers are "
                "too long; let the client's library write both"
            ) from error
        finally:
            events, self._events = self._events, []
        yield from events

    def close(self) -> None:
        """Make sure that the body came to its end.

        Raises:
            BadInput: it ended early.
        """
        if not self._is_whole:
            raise BadInput(f"the body{self._place()}: it ends early; send it again")

    def _place(self) -> str:
        return f", at the file {shown(self._file.filename)}" if self._file is not None else ""

    def _header_end(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _part_begin(self) -> None:
        from python_multipart.multipart import parse_options_header

        disposition = self._headers.get(b"content-disposition", b"")
        _, options = parse_options_header(disposition)
        if b"name" not in options:
            raise BadInput("the body: a part has no name in its Content-Disposition; name it")
        self._field, self._text = _text(options[b"name"]), bytearray()
        extended = _EXTENDED_NAME.search(disposition.decode("latin-1"))
        raw = unquote_to_bytes(extended[1]) if extended else options.get(b"filename")
        if raw is None:
            self._fields += 1
            if self._fields > MAX_FIELDS:
                raise TooMuch(f"the field {shown(self._field)}: a body has {MAX_FIELDS} fields at most; leave some out")
            return
        self._files, self._file_bytes = self._files + 1, 0
        # Browsers write these three as the HTML standard says ("multipart/form-data encoding algorithm").
        name = _text(raw).replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
        if self._files > self._limits.max_files:
            raise TooMuch(
                f"the file {shown(name)}: it is number {self._files}, and an upload has {self._limits.max_files} files "
                "at most (MAX_FILES_PER_UPLOAD); send several uploads"
            )
        self._file = FileBegin(self._field, name)
        self._events.append(self._file)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file_bytes += end - start
            if self._file_bytes > self._limits.max_file_bytes:
                limit = self._limits.max_file_bytes / 1e6
                raise TooMuch(
                    f"the file {shown(self._file.filename)}: it is larger than {limit:,.0f} MB (MAX_FILE_MB); split it"
                )
            self._events.append(FileBytes(data[start:end]))
            return
        if len(self._text) + end - start > MAX_FIELD_BYTES:
            raise TooMuch(f"the field {shown(self._field)}: it has more than {MAX_FIELD_BYTES:,} bytes; shorten it")
        self._text += data[start:end]

    def _part_end(self) -> None:
        if self._file is not None:
            if not self._file_bytes:
                raise BadInput(f"the file {shown(self._file.filename)}: it is empty; leave it out")
            self._events.append(FileEnd())
            self._file = None
        else:
            self._events.append(TextField(self._field, _text(bytes(self._text))))

    def _end(self) -> None:
        self._is_whole = True


def _text(data: bytes) -> str:
    """Read UTF-8; bytes that are none become halves of characters, which `plain_name` refuses."""
    return data.decode("utf-8", "surrogateescape")
