"""Define the records that move between the stages, in the order a file travels.

They are frozen and cross every boundary (stage to stage, process to process, run to artifact), so they hold plain
values only and encode to JSON without further code (`artifacts/`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vector: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class BucketObject:
    """What the bucket says about one object without reading it."""

    key: str
    """Object key below the bucket's prefix: `user_id/project_id/filename`."""
    size_bytes: int
    version: str
    """Changes whenever the object is written: an ETag, or the times and the number that a file system gives a file."""
    modified_at: float
    """Seconds since the epoch."""
    stored_key: str = ""
    """The key as the bucket holds it, where it is not in composed letters; empty where it is `key`."""

    @property
    def position(self) -> str:
        """The place in the listing: `list(after=position)` goes on behind this object."""
        return self.stored_key or self.key


@dataclass(frozen=True, slots=True)
class UnreadablePlace:
    """A folder or file of the bucket that cannot be read; files that the ledger has below it are not gone."""

    key: str
    """Key of the file, or the beginning of the keys in the folder, without the slash."""
    reason: str
    """What is wrong and what to do, for the operator."""
    is_empty: bool = False
    """A user's folder without anything in it, as a mount point is while its share is away."""
    stored_key: str = ""
    """The key as the bucket holds it, with a slash at the end of a folder; empty where it is `key`."""

    @property
    def position(self) -> str:
        """The place in the listing: `list(after=position)` goes on behind this place."""
        return self.stored_key or self.key


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One version of one file in the bucket. The bytes stay there."""

    file_id: str
    user_id: str
    project_id: str
    filename: str
    key: str
    """Object key below the bucket's prefix: `user_id/project_id/filename`."""
    size_bytes: int
    sha256: str
    media_type: str
    """Found from the content, not from the name."""
    version: str
    """The bucket's name for this version: it changes whenever the object is written."""


class ElementType(StrEnum):
    """Kinds of element, in the words of `unstructured`."""

    TITLE = "Title"
    NARRATIVE_TEXT = "NarrativeText"
    LIST_ITEM = "ListItem"
    TABLE = "Table"
    IMAGE = "Image"
    CODE = "CodeSnippet"
    FORMULA = "Formula"
    HEADER = "Header"
    FOOTER = "Footer"
    FOOTNOTE = "Footnote"


@dataclass(frozen=True, slots=True)
class Element:
    """A piece of a document in reading order."""

    type: ElementType
    text: str
    """Plain text, NFC; a table is a Markdown pipe table whose first row is its header; empty for a picture."""
    page_number: int | None = None
    """Page, slide or sheet, from 1; None where the format has no pages."""
    level: int = 0
    """Depth of a title, 1 the outermost; 0 for everything else."""
    section: tuple[str, ...] = ()
    """Titles above this element, outermost first."""
    picture: str = ""
    """sha256 of the picture that stands here."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a document, once per distinct content."""

    sha256: str
    media_type: str
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    page_number: int | None = None
    """The first page it stands on."""
    data: bytes = b""
    """The encoded picture on its way from the parser; empty once it has been stored."""
    is_page: bool = False
    """The picture is the page itself; its text can only be read from the picture."""
    has_text_layer: bool = False
    """The words in the picture stand in the document's text already: it is described, not read."""


@dataclass(frozen=True, slots=True)
class Part:
    """The smallest piece of a file that a parser reads alone: a page, a slide, some rows, some kilobytes."""

    number: int
    """From 1, in reading order. Where parts begin and end depends on the bytes alone, never on the window."""
    elements: tuple[Element, ...] = ()
    pictures: tuple[Picture, ...] = ()
    page_number: int | None = None
    """Page, slide or sheet that this part is or belongs to; None where the format has no pages."""
    problem: str = ""
    """Why this part could not be read; a part with a problem is quarantined and holds no elements."""
    warnings: tuple[str, ...] = ()
    """What was left out of a part that was read, for the person who owns the file."""
    last_row: int = 0
    """Number of its last row in the table or sheet, from 1; 0 where it holds no rows."""


@dataclass(frozen=True, slots=True)
class Caption:
    """What one distinct picture shows."""

    picture: str
    """sha256 of the picture."""
    caption: str
    """A sentence that describes it; empty where the model only reads text."""
    text: str
    """Text read from the picture."""
    page_number: int | None
    model: str
    """Names of the models that described and read the picture."""
    problem: str = ""
    """Why it could not be captioned."""
    confidence: float | None = None
    """How sure the model is of the text: mean over its characters, 0 to 1; None where it found no text."""
    is_doubtful: bool = False
    """The model is not sure of the text; it is kept, and a person should check it."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document's text that is embedded, with the pages and the section to cite.

    The document's text is every element's text in reading order, captions where their pictures stood, joined by blank
    lines. `text` is `prefix` (a repeated table header, or nothing) followed by characters `start` to `end` of it.
    """

    chunk_id: str
    file_id: str
    index: int
    """Position in the document, from 0."""
    text: str
    text_sha256: str
    start: int
    end: int
    prefix: str = ""
    pages: tuple[int, ...] = ()
    section: tuple[str, ...] = ()
    words: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What a client said of a chunk that it cut, or of the file when it uploaded it, given back as it came: a JSON
    object."""

    @property
    def text_is_whole(self) -> bool:
        """Whether the text matches its hash."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest() == self.text_sha256


def texts_in(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value, names of fields included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from value
        for each in value.values():
            yield from texts_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts_in(each)


@dataclass(frozen=True, slots=True)
class EmbeddedChunk:
    """A chunk with its vector: float32, L2 norm 1."""

    chunk: Chunk
    vector: Vector
    model: str
    reused: bool = False
    """True if the store already had a vector of this text by this model."""
