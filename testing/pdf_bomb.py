"""Make a small PDF in which chosen pages need hundreds of megabytes to be read."""

from __future__ import annotations

import zlib
from collections.abc import Collection

PATHS = 2_500_000  # PDFium makes some 150 bytes of each
_LINES = 30


def pdf(pages: int, *, exploding: Collection[int] = (), paths: int = PATHS) -> bytes:
    """Return a PDF with a page of text for each number, and with so many lines drawn on the exploding ones."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for number in range(1, pages + 1):
        content = _text(number) + (b"\n0 0 m 9 9 l S" * paths if number in exploding else b"")
        packed = zlib.compress(content, 9)
        objects.append(b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(packed), packed))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % len(objects)
        )
        kids.append(len(objects))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (pages, b" ".join(b"%d 0 R" % kid for kid in kids))
    return _file(objects)


def _text(page: int) -> bytes:
    lines = [
        f"Page {page}, line {line}: the keeper notes the wind and the tide at {line} o'clock." for line in range(_LINES)
    ]
    return b"BT /F1 11 Tf 40 740 Td 14 TL " + b" ".join(b"(%s) Tj T*" % line.encode() for line in lines) + b" ET"


def _file(objects: list[bytes]) -> bytes:
    out, offsets = b"%PDF-1.7\n", []
    for number, one in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    trailer = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(out))
    return out + head + table + trailer
