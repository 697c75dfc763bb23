"""Caption each distinct picture of a document once, in order.

Every picture gets a caption record: one that shows nothing (a bullet, a rule, a spacer) or cannot be read gets a record
with its `problem`. So there are as many captions as distinct pictures, and one bad picture does not cost the others.
Two models look at a picture: one reads the text in it, the other, if there is one, describes in a sentence what it
shows. A page that is a picture is only read; a drawing whose words are text already is only described. Each model
starts at the first picture that it gets, so a document without pictures costs nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building.pictures import is_decoration
from ingest_assets.records import Caption, Picture

# Goes up whenever the same picture yields another caption.
VERSION = "4"

# Below this confidence a text is kept and marked as doubtful: see the table in docs/decisions/pictures.md.
SURE = 0.92

# Prefix of the problem of a picture that is left out on purpose; no action is needed.
DECORATION = "decoration"
REPEATED = f"{DECORATION}: it stands on most pages; not read"

PAGE_UNREAD = "the page has no text layer, and reading pages by OCR is switched off (INGEST_CAPTIONS): it is empty"

DOES_NOT_FIT = (
    "it needs more memory than the run's cap, even alone, and was left unread: raise the cap and materialise the "
    "file again"
)

_GAP = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class PictureText:
    """The text that a captioner read in one picture."""

    text: str
    """Paragraphs, with blank lines between them; empty where there is none."""
    confidence: float | None = None
    """Mean over the characters that were found, 0 to 1; None if there are none."""


class Captioner(Protocol):
    """A model that reads the text in pictures."""

    @property
    def model(self) -> str:
        """Name and version of the model: another name means that pictures are captioned again."""
        ...

    def caption(self, picture: bytes) -> PictureText:
        """Read one encoded picture (PNG or JPEG).

        Raises:
            BadInput: this picture cannot be read; the next one may.
            OutsideError: the model went away.
            ConfigError: the model cannot be started.
        """
        ...


class Describer(Protocol):
    """A model that describes pictures."""

    @property
    def model(self) -> str:
        """Name and version of the model: another name means that pictures are captioned again."""
        ...

    def describe(self, picture: bytes) -> str:
        """Describe one encoded picture (PNG or JPEG) in a sentence.

        Raises:
            BadInput: this picture cannot be described; the next one may.
            OutsideError: the model went away.
            ConfigError: the model cannot be started.
        """
        ...


class Known(Protocol):
    """Captions that the same models gave to pictures before, in any file."""

    def find(self, picture: Picture) -> Caption | None:
        """Return the caption of a picture with the same bytes."""
        ...

    def keep(self, picture: Picture, caption: Caption) -> None:
        """Keep a caption for the next picture with the same bytes."""
        ...


def caption(
    pictures: Iterable[Picture],
    *,
    load: Callable[[str], bytes],
    captioner: Captioner | None,
    describer: Describer | None = None,
    undescribed: str = "",
    known: Known | None = None,
    finished: Iterable[Caption] = (),
    unread: frozenset[int] = frozenset(),
    repeated: frozenset[str] = frozenset(),
) -> Iterator[Caption]:
    """Caption each distinct picture once, in order, after the finished ones.

    Without a captioner no text is read; without a describer nothing is described, and `undescribed` says why, if a
    describer was wanted. `load` gives the bytes of a sha256 whose picture carries none. A picture that is `known` is
    not looked at again, unless it had a problem. Pictures in `unread`, numbered from 1, are not tried and get a record
    with the problem. So do the pictures in `repeated`, by sha256, which stand on most pages.

    Raises:
        OutsideError, ConfigError: from the models.
    """
    done = {row.picture for row in finished}
    seen: set[str] = set()
    for picture in pictures:
        if picture.sha256 in seen:
            continue
        seen.add(picture.sha256)
        if picture.sha256 in done:
            continue
        blank = Caption(
            picture.sha256, caption="", text="", page_number=picture.page_number, model=model_of(captioner, None)
        )
        if picture.sha256 in repeated:
            yield replace(blank, problem=REPEATED)
        elif len(seen) in unread:
            yield replace(blank, problem=DOES_NOT_FIT)
        elif known and (found := known.find(picture)):
            yield replace(found, page_number=picture.page_number)
        else:
            made = _caption(
                picture, blank, load=load, captioner=captioner, describer=describer, undescribed=undescribed
            )
            if known and not made.problem:
                known.keep(picture, made)
            yield made


def model_of(captioner: Captioner | None, describer: Describer | None) -> str:
    """Name the models that look at a picture; `off` where none does."""
    reader = captioner.model if captioner else "off"
    return f"{describer.model} + {reader}" if describer else reader


def _caption(
    picture: Picture,
    blank: Caption,
    *,
    load: Callable[[str], bytes],
    captioner: Captioner | None,
    describer: Describer | None,
    undescribed: str,
) -> Caption:
    if is_decoration(picture):
        return replace(blank, problem=_decoration(picture))
    data = picture.data or load(picture.sha256)
    if is_decoration(replace(picture, data=data)):
        return replace(blank, problem=_decoration(picture))
    read = blank if picture.has_text_layer else _read(picture, blank, data, captioner=captioner)
    if picture.is_page:
        return read
    if describer is None:
        return _with_problem(read, f"no caption: {undescribed}") if undescribed else read
    model = describer.model if picture.has_text_layer else model_of(captioner, describer)
    return _described(read, data, describer, model=model)


def _read(picture: Picture, blank: Caption, data: bytes, *, captioner: Captioner | None) -> Caption:
    if captioner is None:
        return replace(blank, problem=PAGE_UNREAD if picture.is_page else "")
    try:
        read = captioner.caption(data)
    except BadInput as error:
        return replace(blank, problem=str(error))
    return replace(blank, text=_clean(read.text), confidence=read.confidence, is_doubtful=_is_doubtful(picture, read))


def _described(read: Caption, data: bytes, describer: Describer, *, model: str) -> Caption:
    """Add the description; if there is none, the text that was read stays."""
    try:
        sentence = _clean(describer.describe(data))
    except BadInput as error:
        return read if str(error) == read.problem else _with_problem(read, f"no caption: {error}")
    return replace(read, caption=sentence, model=model)


def _with_problem(read: Caption, problem: str) -> Caption:
    return replace(read, problem="; ".join(filter(None, (read.problem, problem))))


def _is_doubtful(picture: Picture, read: PictureText) -> bool:
    """Tell whether a person should check a text; a page without any should be, since it may be blurred or blank."""
    if read.confidence is None:
        return picture.is_page
    return (picture.is_page or bool(read.text)) and read.confidence < SURE


def _decoration(picture: Picture) -> str:
    return f"{DECORATION}: {picture.width:,} x {picture.height:,} pixels, too small or of one colour; not read"


def _clean(text: str) -> str:
    """Normalise a text: NFC, no space around lines, at most one empty line between paragraphs."""
    lines = (line.strip() for line in unicodedata.normalize("NFC", text).splitlines())
    return _GAP.sub("\n\n", "\n".join(lines)).strip("\n")
