"""A page's number in, the page out as it is shown: one that a viewer turns is turned in the open document first.

PDFium gives places as they are before the turn (`/Rotate`: ISO 32000-1, 7.7.3.3). Turned back, tables, drawings and
columns of a landscape page are found like those of any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage


def opened(pdf: PdfDocument, number: int) -> PdfPage:
    """Open a page by its number from 1, upright.

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
    # A page without content stays as it is.
    if raw.FPDFPage_TransFormWithClip(page.raw, raw.FS_MATRIX(*matrix), None):
        raw.FPDFPage_TransformAnnots(page.raw, *matrix)
        page.set_rotation(0)
        width, height = right - left, top - bottom
        box = (0, 0, width, height) if degrees == 180 else (0, 0, height, width)
        page.set_mediabox(*box)
        page.set_cropbox(*box)
    page.close()
    return pdf[number - 1]
