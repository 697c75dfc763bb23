"""List the images and drawn paths of a page, and repair text objects that PDFium would skip.

PDFium skips a line of text whose box has no width. Vertical writing in a font that is neither in the file nor on the
host has such boxes, so that most of a Japanese page would be lost without a warning (pdfminer.six: samples/jo.pdf).
Such a line is slanted by a thousandth: then its box has a width, and the line is read. The file is not changed.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

MAX_OBJECTS = 50_000  # a vector map or plot has more; its pictures, if any, come first
MAX_PATHS = 10_000  # to find and draw a figure of so many takes half a second
MAX_SEGMENTS = 200_000  # of all paths together
_MAX_DEPTH = 4  # of forms in forms; figures of papers use two
_LOOKED_AT = 40  # text objects of a page or form whose width and visibility are checked: most are alike

Box = tuple[float, float, float, float]
"""Left, bottom, right, top in points."""


class ImageObject(NamedTuple):
    """A picture on a page, not decoded."""

    handle: Any
    box: Box


class PathObject(NamedTuple):
    """A drawn line or area."""

    box: Box
    segments: int
    """Number of its segments: 2 for a line, 4 or 5 for a rectangle."""
    handle: Any = None
    outer: tuple[Any, ...] = ()
    """The forms around it, outermost first."""


class PageObjects(NamedTuple):
    """What is drawn on a page, except text."""

    images: list[ImageObject]
    """In drawing order."""
    is_scan_with_text: bool
    """Its text is invisible: the result of OCR, laid over the scan."""
    is_empty: bool
    """The page has no image, line or area."""
    paths: list[PathObject]
    """Lines and areas in drawing order; empty if there are too many."""
    has_too_many_paths: bool
    """There are more than `MAX_PATHS`, or they have more than `MAX_SEGMENTS`."""


def walk(page: PdfPage) -> PageObjects:
    """List the objects of a page; call it before the text is loaded, because it repairs text objects."""
    found = _Walk(page)
    too_many = found.segments > MAX_SEGMENTS or len(found.paths) > MAX_PATHS
    return PageObjects(
        found.images,
        found.has_hidden_text,
        is_empty=not found.has_drawing,
        paths=[] if too_many else found.paths,
        has_too_many_paths=too_many,
    )


class _Walk:
    def __init__(self, page: PdfPage) -> None:
        import pypdfium2.raw as raw

        self._raw: Any = raw
        self._edges = [ctypes.c_float() for _ in range(4)]
        self._left = MAX_OBJECTS
        self.images: list[ImageObject] = []
        self.has_hidden_text = False
        self.has_drawing = False
        self.paths: list[PathObject] = []
        self.segments = 0
        texts = self._visit(page.raw, raw.FPDFPage_CountObjects, raw.FPDFPage_GetObject, outer=[])
        if any(self._is_flat(text) for text in texts[:_LOOKED_AT]):
            self._lean([text for text in texts if self._is_flat(text)])

    def _visit(self, parent: Any, count: Any, get: Any, *, outer: list[Any]) -> list[Any]:
        """Collect the images and paths in a page or form, and return its text objects; `outer` are the forms around."""
        raw, texts = self._raw, []
        kind_of, text, path, image, form = (
            raw.FPDFPageObj_GetType,
            raw.FPDF_PAGEOBJ_TEXT,
            raw.FPDF_PAGEOBJ_PATH,
            raw.FPDF_PAGEOBJ_IMAGE,
            raw.FPDF_PAGEOBJ_FORM,
        )
        for index in range(min(count(parent), self._left)):
            handle = get(parent, index)
            kind = kind_of(handle)
            self.has_drawing = self.has_drawing or kind not in (text, form)
            if kind == text:
                texts.append(handle)
                self.has_hidden_text = self.has_hidden_text or self._is_hidden(handle, len(texts))
            elif kind == path and len(self.paths) <= MAX_PATHS:
                segments = raw.FPDFPath_CountSegments(handle)
                self.segments += segments
                self.paths.append(PathObject(self._placed(handle, outer), segments, handle, tuple(outer)))
            elif kind == image:
                self.images.append(ImageObject(handle, self._placed(handle, outer)))
            elif kind == form and len(outer) < _MAX_DEPTH:
                self._visit(handle, raw.FPDFFormObj_CountObjects, raw.FPDFFormObj_GetObject, outer=[*outer, handle])
            self._left -= 1
        return texts

    def _is_hidden(self, handle: Any, count: int) -> bool:
        if count > _LOOKED_AT:
            return False
        hidden: bool = self._raw.FPDFTextObj_GetTextRenderMode(handle) == self._raw.FPDF_TEXTRENDERMODE_INVISIBLE
        return hidden

    def _box(self, handle: Any) -> Box:
        left, bottom, right, top = self._edges
        if not self._raw.FPDFPageObj_GetBounds(handle, left, bottom, right, top):
            return 0.0, 0.0, 0.0, 0.0
        return left.value, bottom.value, right.value, top.value

    def _placed(self, handle: Any, outer: list[Any]) -> Box:
        """Return an object's box on the page, through the matrices of the forms around it."""
        box = self._box(handle)
        m = self._raw.FS_MATRIX()
        for form in reversed(outer):
            if self._raw.FPDFPageObj_GetMatrix(form, m):
                corners = [(x, y) for x in box[::2] for y in box[1::2]]
                xs = [m.a * x + m.c * y + m.e for x, y in corners]
                ys = [m.b * x + m.d * y + m.f for x, y in corners]
                box = min(xs), min(ys), max(xs), max(ys)
        return box

    def _is_flat(self, handle: Any) -> bool:
        left, bottom, right, top = self._box(handle)
        return right - left < 0.01 <= top - bottom

    def _lean(self, texts: list[Any]) -> None:
        for handle in texts:
            _, bottom, _, _ = self._box(handle)
            # x grows by 1/1000 of the height above the bottom of the line
            self._raw.FPDFPageObj_Transform(handle, 1, 0, 0.001, 1, -0.001 * bottom, 0)
