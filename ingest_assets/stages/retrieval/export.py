"""Write a document as it was read: as Markdown for people and prompts, or as JSON with everything that is known.

Markdown holds what a chunk can hold, in reading order: no headers and footers of pages, each picture's caption where
the picture stands, a comment at the beginning of each page. JSON holds every element with its page and section, and
every picture with what was read from it, by which model, and how sure it was.

Both are written piece by piece: one part of the document is in memory at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from ingest_assets.ledger_records import FileRecord
from ingest_assets.records import Caption, Chunk, Element, ElementType, Part, Picture

_LEFT_OUT = (ElementType.HEADER, ElementType.FOOTER)
_DEEPEST_TITLE = 6
_ENDS_TITLE = re.compile(r"\s+")
_FENCE = re.compile(r"^`{3,}", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ExportedPicture:
    """A picture in a document, with what was read from it."""

    sha256: str
    media_type: str = ""
    width: int = 0
    """Pixels."""
    height: int = 0
    """Pixels."""
    caption: str = ""
    text: str = ""
    """Text read from it."""
    model: str = ""
    """Names of the models that described and read it."""
    confidence: float | None = None
    is_doubtful: bool = False
    problem: str = ""
    is_page: bool = False
    """It is the page itself."""


@dataclass(frozen=True, slots=True)
class ExportedElement:
    """An element as JSON shows it."""

    type: ElementType
    text: str
    page_number: int | None = None
    level: int = 0
    section: tuple[str, ...] = ()
    picture: ExportedPicture | None = None


@dataclass(frozen=True, slots=True)
class UnreadPart:
    """A part of the document that could not be read, and why."""

    number: int
    page_number: int | None
    problem: str


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """What the ledger says of the file, at the beginning of the JSON."""

    key: str
    user_id: str
    project_id: str
    filename: str
    media_type: str
    sha256: str
    size_bytes: int
    state: str
    pages: int
    languages: tuple[str, ...] = ()
    summary: str = ""
    quarantined: tuple[int, ...] = ()
    warnings: tuple[str, ...] = field(default=())


def markdown_of(parts: Iterable[Part], *, captions: Mapping[str, Caption]) -> Iterator[str]:
    """Yield a document as Markdown, one element at a time; `captions` are by the picture's sha256."""
    page: int | None = None
    is_first = True
    for part in parts:
        if part.problem:
            where = f"page {part.page_number}" if part.page_number is not None else f"part {part.number}"
            yield _apart(f"<!-- {where} could not be read: {_in_comment(part.problem)} -->", is_first)
            is_first = False
        for element in part.elements:
            text = "" if element.type in _LEFT_OUT else _as_markdown(element, captions.get(element.picture))
            if not text:
                continue
            if element.page_number is not None and element.page_number != page:
                page = element.page_number
                yield _apart(f"<!-- page {page} -->", is_first)
                is_first = False
            yield _apart(text, is_first)
            is_first = False
    yield "\n"


def json_of(record: FileRecord, parts: Iterable[Part], *, captions: Mapping[str, Caption]) -> Iterator[bytes]:
    """Yield a document as one JSON object: `file`, then `elements`, then the parts that are `unread`."""
    yield b'{"file":' + msgspec.json.encode(_file(record)) + b',"elements":['
    pictures: dict[str, Picture] = {}
    unread: list[UnreadPart] = []
    comma = b""
    for part in parts:
        pictures |= {picture.sha256: picture for picture in part.pictures}
        if part.problem:
            unread.append(UnreadPart(part.number, part.page_number, part.problem))
        for element in part.elements:
            shown = _exported(element, pictures.get(element.picture), captions.get(element.picture))
            yield comma + b"\n" + msgspec.json.encode(shown)
            comma = b","
    yield b'\n],"unread":' + msgspec.json.encode(unread) + b"}\n"


def markdown_of_chunks(chunks: Iterable[Chunk]) -> Iterator[str]:
    """Yield chunks that a client has cut as Markdown, in their order; what they repeat of each other stays."""
    section: tuple[str, ...] = ()
    is_first = True
    for chunk in chunks:
        if chunk.section and chunk.section != section:
            yield _apart(_title(chunk.section[-1], len(chunk.section)), is_first)
            is_first = False
        section = chunk.section
        yield _apart(chunk.text, is_first)
        is_first = False
    yield "\n"


def json_of_chunks(record: FileRecord, chunks: Iterable[Chunk]) -> Iterator[bytes]:
    """Yield chunks that a client has cut as one JSON object: `file`, then `chunks`."""
    yield b'{"file":' + msgspec.json.encode(_file(record)) + b',"chunks":['
    comma = b""
    for chunk in chunks:
        yield comma + b"\n" + msgspec.json.encode(chunk)
        comma = b","
    yield b"\n]}\n"


def _apart(text: str, is_first: bool) -> str:
    return text if is_first else "\n\n" + text


def _as_markdown(element: Element, caption: Caption | None) -> str:
    text = element.text.strip("\n")
    if element.picture:
        return "\n\n".join(part for part in (text, _picture(element.picture, caption)) if part)
    if not text.strip():
        return ""
    if element.type is ElementType.TITLE:
        return _title(text, element.level)
    if element.type is ElementType.LIST_ITEM:
        return "- " + text.replace("\n", "\n  ")
    if element.type is ElementType.CODE:
        fence = "`" * max(3, 1 + max((len(found) for found in _FENCE.findall(text)), default=0))
        return f"{fence}\n{text}\n{fence}"
    if element.type is ElementType.FORMULA:
        return f"$$\n{text}\n$$"
    return text


def _title(text: str, level: int) -> str:
    return "#" * min(max(level, 1), _DEEPEST_TITLE) + " " + _ENDS_TITLE.sub(" ", text).strip()


def _picture(sha256: str, caption: Caption | None) -> str:
    """Show a picture by its caption; its address is its hash, under which the JSON describes it."""
    description = _ENDS_TITLE.sub(" ", caption.caption).strip() if caption else ""
    shown = f"![{description.replace('[', '(').replace(']', ')')}](picture:{sha256})"
    read = caption.text.strip() if caption else ""
    return shown + ("\n\n> " + read.replace("\n", "\n> ") if read else "")


def _in_comment(text: str) -> str:
    return text.replace("--", "–")


def _exported(element: Element, picture: Picture | None, caption: Caption | None) -> ExportedElement:
    return ExportedElement(
        type=element.type,
        text=element.text,
        page_number=element.page_number,
        level=element.level,
        section=element.section,
        picture=exported_picture(element.picture, picture, caption) if element.picture else None,
    )


def exported_picture(sha256: str, picture: Picture | None, caption: Caption | None) -> ExportedPicture:
    """Join a picture with its caption; what is not known of it is empty."""
    known = picture or Picture(sha256=sha256, media_type="", width=0, height=0)
    shown = caption or Caption(picture=sha256, caption="", text="", page_number=None, model="")
    return ExportedPicture(
        sha256=sha256,
        media_type=known.media_type,
        width=known.width,
        height=known.height,
        caption=shown.caption,
        text=shown.text,
        model=shown.model,
        confidence=shown.confidence,
        is_doubtful=shown.is_doubtful,
        problem=shown.problem,
        is_page=known.is_page,
    )


def _file(record: FileRecord) -> ExportedFile:
    return ExportedFile(
        key=record.key,
        user_id=record.user_id,
        project_id=record.project_id,
        filename=record.filename,
        media_type=record.media_type,
        sha256=record.sha256,
        size_bytes=record.size_bytes,
        state=record.state.value,
        pages=record.pages,
        languages=record.languages,
        summary=record.summary,
        quarantined=record.quarantined,
        warnings=record.warnings,
    )
