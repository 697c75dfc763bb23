"""Read the values of form fields and the text annotations of a page as runs of text.

Values that a person filled in are in annotations, not in the content of the page. They become runs with the place of
their field, so that they are read beside their labels.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ingest_assets.parsers.page_layout.runs import Run
from ingest_assets.parsers.page_layout.words import clean

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

_MAX_ANNOTATIONS = 5_000  # per page; the longest tax forms have some hundreds
_MAX_VALUE_BYTES = 200_000
_HIDDEN = 2  # annotation flag
_PASSWORD = 1 << 13  # field flag
_DEFAULT_SIZE = 9.0  # points, if the size of the field's font is automatic


def form_runs(page: PdfPage, *, beside: Sequence[Run]) -> list[Run]:
    """Read values, ticks and free text; their `order` is that of the label left of them."""
    import pypdfium2.raw as raw

    runs: list[Run] = []
    for index in range(min(raw.FPDFPage_GetAnnotCount(page.raw), _MAX_ANNOTATIONS)):
        annotation = raw.FPDFPage_GetAnnot(page.raw, index)
        if not annotation:
            continue
        try:
            runs.extend(_runs(page, annotation, beside))
        finally:
            raw.FPDFPage_CloseAnnot(annotation)
    return runs


def _runs(page: PdfPage, annotation: Any, beside: Sequence[Run]) -> Iterator[Run]:
    """Yield the lines of an annotation's text, one below the other in its box."""
    import pypdfium2.raw as raw

    kind = raw.FPDFAnnot_GetSubtype(annotation)
    if raw.FPDFAnnot_GetFlags(annotation) & _HIDDEN:
        return
    size = _DEFAULT_SIZE
    if kind == raw.FPDF_ANNOT_WIDGET and page.formenv:
        text = _field_value(page.formenv.raw, annotation)
        size = _font_size(page.formenv.raw, annotation)
    elif kind == raw.FPDF_ANNOT_FREETEXT:
        text = _string(lambda buffer, length: raw.FPDFAnnot_GetStringValue(annotation, b"Contents", buffer, length))
    else:
        return
    lines = [line for line in map(clean, text.splitlines()) if line]
    rect = raw.FS_RECTF()
    if not lines or not raw.FPDFAnnot_GetRect(annotation, rect):
        return
    height = (rect.top - rect.bottom) / len(lines)
    for number, line in enumerate(lines):
        top = rect.top - number * height
        run = Run(line, rect.left, top - height, rect.right, top, size, spaced=True)
        yield run._replace(order=_order(run, beside))


def _order(run: Run, beside: Sequence[Run]) -> int:
    middle = (run.y0 + run.y1) / 2
    labels = [label for label in beside if label.y0 < middle < label.y1 and label.x0 < run.x0 and not label.turn]
    last = max((label.order for label in beside), default=0)
    return max(labels, key=lambda label: label.x0).order if labels else last + 1


def _field_value(form: Any, annotation: Any) -> str:
    import pypdfium2.raw as raw

    kind = raw.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON):
        return "[x]" if raw.FPDFAnnot_IsChecked(form, annotation) else "[ ]"
    if kind not in (raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX):
        return ""
    if raw.FPDFAnnot_GetFormFieldFlags(form, annotation) & _PASSWORD:
        return ""
    return _string(lambda buffer, length: raw.FPDFAnnot_GetFormFieldValue(form, annotation, buffer, length))


def _font_size(form: Any, annotation: Any) -> float:
    import pypdfium2.raw as raw

    size = ctypes.c_float()
    known = raw.FPDFAnnot_GetFontSize(form, annotation, size)
    return size.value if known and size.value > 0 else _DEFAULT_SIZE


def _string(fill: Callable[[Any, int], int]) -> str:
    """Call a PDFium function that fills a buffer with UTF-16 twice: for the length and for the text."""
    import pypdfium2.raw as raw

    length = min(fill(None, 0), _MAX_VALUE_BYTES)
    if length <= 2:
        return ""
    buffer = (raw.FPDF_WCHAR * (length // 2))()
    fill(buffer, length)
    return bytes(buffer).decode("utf-16-le", "replace").rstrip("\0")
