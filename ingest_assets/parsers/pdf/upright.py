"""Open a page of a PDF upright, as a viewer shows it.

A page with `/Rotate` (ISO 32000-1, 7.7.3.3) is turned in the open document first, because PDFium returns places as they
are before the rotation. Then tables, drawings and columns are found as on any other page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage


def open_upright(pdf: PdfDocument, number: int) -> PdfPage:
    """Open a page by its number, from 1; close it after use.

    Raises:
        PdfiumError: the page is broken.
    """
    import pypdfium2.raw as raw

    page = pdf[number - 1]
    degrees = page.get_rotation()
    if not degrees:
        return page
    left, bottom, right, top = page.get_bbox()
    matrix = {
        90: (0, -1, 1, 0, -bottom, right),
        180: (-1, 0, 0, -1, right, top),
        270: (0, 1, -1, 0, top, -left),
    }[degrees]
    # The call fails for a page without content, which is left unchanged.
    if raw.FPDFPage_TransFormWithClip(page.raw, raw.FS_MATRIX(*matrix), None):
        raw.FPDFPage_TransformAnnots(page.raw, *matrix)
        page.set_rotation(0)
        width, height = right - left, top - bottom
        box = (0, 0, width, height) if degrees == 180 else (0, 0, height, width)
        page.set_mediabox(*box)
        page.set_cropbox(*box)
    page.close()
    return pdf[number - 1]
