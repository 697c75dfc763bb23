"""Pictures in, one caption per distinct picture out, in the same order.

Every picture is answered for: what shows nothing (a bullet, a rule, a spacer) and what cannot be read come out as a
caption with its `problem`, so that the count of captions is the count of distinct pictures, and one bad picture does
not cost the others. Two models look at a picture: one reads the text in it, the other, if there is one, says in a
sentence what it shows. A page that is a picture is only read; a drawing whose words are text already is only described.
Either model starts at the first picture it is given; a document without pictures costs nothing.
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

# Below it a text is kept, but called doubtful: see the table in docs/decisions/pictures.md.
SURE = 0.92

# The model of a captioner that reads nothing, by choice.
OFF = "off"

# How the problem of a picture begins that was left out on purpose; nobody need act on it.
DECORATION = "decoration"
REPEATED = f"{DECORATION}: it stands on most pages; not read"

PAGE_UNREAD = "the page has no text layer, and reading pages by OCR is switched off (INGEST_CAPTIONS): it is empty"

DOES_NOT_FIT = (
    "it needs more memory than the run's cap, even alone, and was left unread: raise the cap and materialise the "
    "file again"
)

_GAP = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a captioner makes of one picture; either may be empty."""

    caption: str
    """A sentence that describes it."""
    text: str
    """Text read from it: paragraphs, with blank lines between them."""
    confidence: float | None = None
    """Mean over the characters that were found, 0 to 1; None without any."""


class Captioner(Protocol):
    """A model that reads pictures."""

    @property
    def model(self) -> str:
        """Name and version of the model: another name means that pictures are captioned again."""
        ...

    def caption(self, picture: bytes) -> Reading:
        """Look at one encoded picture (PNG or JPEG).

        Raises:
            BadInput: this picture cannot be read; the next one may.
            OutsideError: the model went away.
            ConfigError: the model cannot be started.
        """
        ...


class Describer(Protocol):
    """A model that says what pictures show."""

    @property
    def model(self) -> str:
        """Name and version of the model: another name means that pictures are captioned again."""
        ...

    def describe(self, picture: bytes) -> str:
        """Say in a sentence what one encoded picture (PNG or JPEG) shows.

        Raises:
            BadInput: this picture cannot be described; the next one may.
            OutsideError: the model went away.
            ConfigError: the model cannot be started.
        """
        ...


class Known(Protocol):
    """What was made of pictures before, by the same models, in any file."""

    def find(self, picture: Picture) -> Caption | None:
        """Return the caption of a picture of the same bytes."""
        ...

    def keep(self, picture: Picture, caption: Caption) -> None:
        """Keep a caption for the next such picture."""
        ...


def caption(
    pictures: Iterable[Picture],
    *,
    load: Callable[[str], bytes],
    captioner: Captioner,
    describer: Describer | None = None,
    known: Known | None = None,
    finished: Iterable[Caption] = (),
    unread: frozenset[int] = frozenset(),
    repeated: frozenset[str] = frozenset(),
) -> Iterator[Caption]:
    """Caption each distinct picture once, in order, after the finished ones.

    `load` gives the bytes of a sha256 whose picture carries none. What is `known` is not looked at again; what had a
    problem is. Pictures in `unread`, numbered from 1, are not tried:
    they come out with their problem. So do those in `repeated`, by sha256: they stand on most pages.

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
        blank = Caption(picture.sha256, caption="", text="", page_number=picture.page_number, model=captioner.model)
        if picture.sha256 in repeated:
            yield replace(blank, problem=REPEATED)
        elif len(seen) in unread:
            yield replace(blank, problem=DOES_NOT_FIT)
        elif known and (found := known.find(picture)):
            yield replace(found, page_number=picture.page_number)
        else:
            made = _caption(picture, blank, load=load, captioner=captioner, describer=describer)
            if known and not made.problem:
                known.keep(picture, made)
            yield made


def model_of(captioner: Captioner, describer: Describer | None) -> str:
    """Name who says what a picture shows and what is written in it."""
    return f"{describer.model} + {captioner.model}" if describer else captioner.model


def _caption(
    picture: Picture,
    blank: Caption,
    *,
    load: Callable[[str], bytes],
    captioner: Captioner,
    describer: Describer | None,
) -> Caption:
    if is_decoration(picture):
        return replace(blank, problem=_decoration(picture))
    data = picture.data or load(picture.sha256)
    if is_decoration(replace(picture, data=data)):
        return replace(blank, problem=_decoration(picture))
    read = blank if picture.has_text_layer else _read(picture, blank, data, captioner=captioner)
    if describer is None or picture.is_page:
        return read
    model = describer.model if picture.has_text_layer else model_of(captioner, describer)
    return _described(read, data, describer, model=model)


def _read(picture: Picture, blank: Caption, data: bytes, *, captioner: Captioner) -> Caption:
    try:
        reading = captioner.caption(data)
    except BadInput as error:
        return replace(blank, problem=str(error))
    is_off = captioner.model == OFF
    return replace(
        blank,
        caption=_clean(reading.caption),
        text=_clean(reading.text),
        problem=PAGE_UNREAD if picture.is_page and is_off else "",
        confidence=reading.confidence,
        is_doubtful=_is_doubtful(picture, reading) and not is_off,
    )


def _described(read: Caption, data: bytes, describer: Describer, *, model: str) -> Caption:
    """Add what the picture shows; where that cannot be said, what was read from it stays."""
    try:
        said = _clean(describer.describe(data))
    except BadInput as error:
        problems = (read.problem, f"no caption: {error}")
        return read if str(error) == read.problem else replace(read, problem="; ".join(filter(None, problems)))
    return replace(read, caption=said, model=model)


def _is_doubtful(picture: Picture, reading: Reading) -> bool:
    """Tell whether a text needs somebody to look; where none was found, a page does: it may be blurred or blank."""
    if reading.confidence is None:
        return picture.is_page
    return (picture.is_page or bool(reading.text)) and reading.confidence < SURE


def _decoration(picture: Picture) -> str:
    return f"{DECORATION}: {picture.width:,} x {picture.height:,} pixels, too small or of one colour; not read"


def _clean(text: str) -> str:
    """Tidy up: NFC, no space around lines, one empty line at most between paragraphs."""
    lines = (line.strip() for line in unicodedata.normalize("NFC", text).splitlines())
    return _GAP.sub("\n\n", "\n".join(lines)).strip("\n")
