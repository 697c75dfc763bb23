"""Read a PDF with PDFium, one part per page.

All handles of a page are closed before the next page is opened, so that memory does not grow with the file. How the
document is typeset (body size, titles, running headers) is measured once on a sample of pages, so that the parts are
the same at whichever page reading starts. A page without a readable text layer becomes one picture of the whole page.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ingest_assets.errors import BadInput
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.page_layout.columns import flows
from ingest_assets.parsers.page_layout.rows import Flow
from ingest_assets.parsers.page_layout.runs import Run
from ingest_assets.parsers.page_layout.typography import Typography, survey
from ingest_assets.parsers.page_layout.unruled_tables import with_unruled_tables
from ingest_assets.parsers.pdf.elements import page_elements
from ingest_assets.parsers.pdf.graphics.drawings import draw
from ingest_assets.parsers.pdf.graphics.figures import Figure, figures, is_part_of_any
from ingest_assets.parsers.pdf.graphics.pictures import PlacedPicture, covers, is_large_enough, read_pictures
from ingest_assets.parsers.pdf.graphics.ruled_tables import with_ruled_tables
from ingest_assets.parsers.pdf.graphics.rules import read_rules
from ingest_assets.parsers.pdf.graphics.scans import picture_of
from ingest_assets.parsers.pdf.objects import MAX_PATHS, PageObjects, walk
from ingest_assets.parsers.pdf.opening import opened
from ingest_assets.parsers.pdf.outline import Outline, read_outline
from ingest_assets.parsers.pdf.text.forms import form_runs
from ingest_assets.parsers.pdf.text.legibility import is_legible
from ingest_assets.parsers.pdf.text.text_runs import read_runs
from ingest_assets.parsers.pdf.upright import open_upright
from ingest_assets.records import Part

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfiumError, PdfPage

VERSION = "9"
PART = "page"

# Six places in the document with two pages each, because left and right pages have different headers.
_SAMPLE_PLACES = 6
# PDFium keeps all parsed objects until the document is closed: 12 MB per 1,000 pages of a 400-page manual. Therefore it
# is closed and opened again after some pages; at most 20 times, because PDFium then passes all pages before the next.
_REOPEN_PAGES, _MOST_REOPENED = 50, 20
# Less than two lines of invisible text over a scan is a stamp or a title. It is not the text of the page from OCR.
_MIN_HIDDEN_CHARS = 100
_ILLEGIBLE = "there are no letters behind the glyphs of its text; the page is read by OCR instead"
_TOO_FINE = f"a drawing of more than {MAX_PATHS:,} lines and areas on it is left out; its text is read"


class _Page(NamedTuple):
    flows: list[Flow]
    has_pictures: bool = False
    is_scan: bool = False
    """Its text can be read only from a picture of the page."""
    problem: str = ""
    figures: tuple[Figure, ...] = ()
    """Charts and drawings made of lines and areas."""
    pictures: tuple[PlacedPicture, ...] = ()
    warnings: tuple[str, ...] = ()


def count_pages(path: Path, *, limits: Limits) -> int:
    """Count the pages of a PDF."""
    with opened(path, limits=limits) as pdf:
        return len(pdf)


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield the pages from number `start` on."""
    with opened(path, limits=limits) as pdf:
        total = len(pdf)
        with _uncollected():
            sample = {
                number: _text(pdf, number, limits=limits) for number in _sample(total) if number not in limits.unread
            }
        _refuse_broken(pdf, sample, limits=limits)
        outline = read_outline(pdf)
    typography = survey(page.flows for page in sample.values())
    stretch = max(_REOPEN_PAGES, total // _MOST_REOPENED)
    for first in range(start, total + 1, stretch):
        with opened(path, limits=limits) as pdf:
            for number in range(first, min(first + stretch, total + 1)):
                with _uncollected():
                    page = _with_pictures(pdf, number, sample.get(number), limits=limits)
                    part = _part(pdf, number, page, typography=typography, outline=outline)
                yield part


@contextmanager
def _uncollected() -> Iterator[None]:
    """Switch Python's cycle collector off: a page makes thousands of tuples and no cycle; it would use a fifth."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _sample(pages: int) -> list[int]:
    """Return page numbers that are spread evenly over a document of so many pages."""
    last = max(pages - 1, 1)
    places = (1 + round(place * (last - 1) / (_SAMPLE_PLACES - 1)) for place in range(_SAMPLE_PLACES))
    return sorted({number for place in places for number in (place, place + 1) if number <= pages})


def _text(pdf: PdfDocument, number: int, *, limits: Limits) -> _Page:
    """Read the text of a page into rows in reading order, and find out whether it has pictures."""
    from pypdfium2 import PdfiumError

    if limits.before_part:
        limits.before_part(number)
    try:
        with closing(open_upright(pdf, number)) as page:
            return _text_of(page, walk(page), number, limits=limits)
    except PdfiumError as error:
        return _broken(pdf, number, error)


def _with_pictures(pdf: PdfDocument, number: int, known: _Page | None, *, limits: Limits) -> _Page:
    """Read a page with its pictures; `known` is the page without pictures, if it has been read for the sample."""
    from pypdfium2 import PdfiumError

    if known and not known.has_pictures and not known.figures and not known.is_scan:
        return known
    if limits.before_part:
        limits.before_part(number)
    try:
        with closing(open_upright(pdf, number)) as page:
            objects = walk(page)
            text = known or _text_of(page, objects, number, limits=limits)
            if text.is_scan:
                return _scan(page, objects, number, text, limits=limits)
            if not text.has_pictures and not text.figures:
                return text
            alone = [image for image in objects.images if not is_part_of_any(text.figures, image.box)]
            objects = objects._replace(images=alone)
            pictures, warnings = read_pictures(page, objects, page_number=number, limits=limits)
            pictures += draw(page, text.figures, page_number=number)
    except PdfiumError as error:
        return _broken(pdf, number, error)
    return text._replace(pictures=tuple(pictures), warnings=(*text.warnings, *warnings))


def _text_of(page: PdfPage, objects: PageObjects, number: int, *, limits: Limits) -> _Page:
    with closing(page.get_textpage()) as textpage:
        if textpage.count_chars() > limits.max_part_chars:
            return _Page([], problem=f"page {number} holds over {limits.max_part_chars:,} characters; split it")
        rules = read_rules(objects)
        runs = read_runs(textpage, bars=rules.down)
        if runs and not is_legible(textpage):
            return _Page([], is_scan=True, warnings=(f"page {number}: {_ILLEGIBLE}",))
    runs.extend(form_runs(page, beside=runs))
    if not runs:
        return _Page([], is_scan=not objects.is_empty)
    is_scan = objects.is_scan_with_text and any(covers(image.box, page) for image in objects.images)
    if is_scan and sum(len(run.text) for run in runs) < _MIN_HIDDEN_CHARS:
        return _Page([], is_scan=True)
    drawn = _figures(page, objects, runs)
    if rules.across and rules.down:
        runs = with_ruled_tables(runs, rules)
        drawn = tuple(figure for figure in drawn if not any(run.table and _stands_in(run, figure) for run in runs))
    return _Page(
        [with_unruled_tables(flow) for flow in flows(runs)],
        any(map(is_large_enough, objects.images)),
        figures=drawn,
        warnings=(f"page {number}: {_TOO_FINE}",) if objects.has_too_many_paths else (),
    )


def _figures(page: PdfPage, objects: PageObjects, runs: list[Run]) -> tuple[Figure, ...]:
    """Find the charts and drawings of a page."""
    if objects.is_scan_with_text:
        return ()
    words = [(run.x0, run.y0, run.x1, run.y1) for run in runs if run.turn == 0]
    images = [image.box for image in objects.images]
    return tuple(figures(objects.paths, words=words, images=images, page=page.get_bbox()))


def _stands_in(run: Run, figure: Figure) -> bool:
    left, bottom, right, top = figure.box
    return left < (run.x0 + run.x1) / 2 < right and bottom < (run.y0 + run.y1) / 2 < top


def _scan(page: PdfPage, objects: PageObjects, number: int, text: _Page, *, limits: Limits) -> _Page:
    try:
        picture = picture_of(page, objects, page_number=number, limits=limits)
    except BadInput as error:
        return _Page([], problem=str(error))
    box = (0.0, 0.0, *page.get_size())
    return text._replace(pictures=(PlacedPicture(picture, box),) if picture else ())


def _broken(pdf: PdfDocument, number: int, error: PdfiumError) -> _Page:
    return _Page([], problem=f"page {number} of {len(pdf)} is broken ({error}); repair the PDF or leave it out")


def _refuse_broken(pdf: PdfDocument, sample: dict[int, _Page], *, limits: Limits) -> None:
    """Refuse a document in which no page can be read."""
    if any(not page.problem for page in sample.values()):
        return
    for number in range(1, len(pdf) + 1):
        if number in limits.unread:
            return
        if not (sample.get(number) or _text(pdf, number, limits=limits)).problem:
            return
    raise BadInput(f"none of the {len(pdf)} pages can be read; repair the PDF or save it again")


def _part(pdf: PdfDocument, number: int, page: _Page, *, typography: Typography, outline: Outline) -> Part:
    if page.problem:
        return Part(number, page_number=number, problem=page.problem)
    return Part(
        number,
        page_number=number,
        elements=page_elements(
            page.flows,
            page.pictures,
            typography=typography,
            page_number=number,
            titles=outline.get(number, {}),
        ),
        pictures=tuple(placed.picture for placed in page.pictures),
        warnings=(*page.warnings, *(_document_warnings(pdf) if number == 1 else ())),
    )


def _document_warnings(pdf: PdfDocument) -> list[str]:
    import pypdfium2.raw as raw

    attached = raw.FPDFDoc_GetAttachmentCount(pdf.raw)
    return [f"{attached} files attached to the PDF are not read; upload them on their own"] if attached > 0 else []
