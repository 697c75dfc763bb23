"""Open a PDF with PDFium, or say why it cannot be opened.

PDFium reports little more than "format error" or "password", and reports "password" also for files that it cannot
decompress. Therefore the reason is found in the bytes of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ingest_assets.errors import BadInput
from ingest_assets.parsers.contract import Limits

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfiumError

_BLOCK_BYTES = 1 << 20


@contextmanager
def opened(path: Path, *, limits: Limits) -> Iterator[PdfDocument]:
    """Open a PDF and close it with all its handles.

    Raises:
        BadInput: encrypted, damaged, without pages or with too many.
    """
    from pypdfium2 import PdfDocument, PdfiumError

    try:
        pdf = PdfDocument(path)
    except PdfiumError as error:
        raise BadInput(_reason(path, error)) from error
    try:
        pages = len(pdf)
        if pages < 1:
            raise BadInput("the PDF has no pages; save it again from the program that made it")
        if pages > limits.max_pages:
            raise BadInput(f"the PDF claims {pages:,} pages, over the limit of {limits.max_pages:,}; split it")
        if pdf.get_formtype():
            _open_form(pdf)
        yield pdf
    finally:
        pdf.close()


def _open_form(pdf: PdfDocument) -> None:
    """Make the values of form fields readable; pypdfium2's own method would warn about every XFA form."""
    import pypdfium2.raw as raw
    from pypdfium2 import PdfFormEnv

    config = raw.FPDF_FORMFILLINFO(version=2)
    handle = raw.FPDFDOC_InitFormFillEnvironment(pdf.raw, config)
    if handle:
        pdf.formenv = PdfFormEnv(handle, config)


def _reason(path: Path, error: PdfiumError) -> str:
    """Return why PDFium does not open a file, and what to do."""
    import pypdfium2.raw as raw

    if path.stat().st_size == 0:
        return "an empty file (0 bytes): upload it again"
    if error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY) and _contains(path, b"/Encrypt"):
        return "the PDF is encrypted and needs a password; upload it without one"
    if _contains(path, b"/BrotliDecode"):
        return "the PDF is compressed with Brotli, which is not supported; save it as PDF 1.7"
    return "the PDF is damaged or truncated: no pages can be found in it; save or upload it again"


def _contains(path: Path, word: bytes) -> bool:
    """Tell whether a file contains `word`, reading it in blocks."""
    tail = b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            if word in tail + block:
                return True
            tail = block[-len(word) :]
    return False
