"""Write small PDFs by hand, one kind of content each, and read them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.pdf import parser as pdf
from ingest_assets.records import Element, Part

LIMITS = Limits()
PROSE = "the quick brown fox jumps over lazy dogs and goes on"
SECOND = "every good boy deserves fudge but must wait his turn"


class Line(NamedTuple):
    """A line of text on a page: its place in points, its size, its font (F, B bold, I italic)."""

    text: str
    x: float
    y: float
    size: float = 10
    font: str = "F"
    matrix: str = "1 0 0 1"


class Page(NamedTuple):
    lines: tuple[Line, ...] = ()
    image: bytes = b""
    """A stream object that is drawn in a box of 200 x 100 points at 72, 300."""
    extra: bytes = b""
    content: bytes | None = None


def write(
    path: Path, pages: Iterable[Page], *, catalog: bytes = b"", annotation: bytes = b"", objects: Iterable[bytes] = ()
) -> Path:
    """Write a PDF by hand: catalog, page tree, three fonts, four objects for each page, then any others.

    The four are the page (its number is 6, 10, 14 and so on), its content, image and annotation.
    """
    others = list(objects)
    pages = list(pages)
    written = [
        b"<</Type/Catalog/Pages 2 0 R%s>>" % catalog,
        b"<</Type/Pages/Count %d/Kids[%s]>>"
        % (len(pages), b" ".join(b"%d 0 R" % (6 + 4 * i) for i in range(len(pages)))),
        *(b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica%s>>" % name for name in (b"", b"-Bold", b"-Oblique")),
    ]
    for number, page in enumerate(pages):
        first = 6 + 4 * number
        drawn = b"q 200 0 0 100 72 300 cm /Im Do Q\n" if page.image else b""
        content = page.content if page.content is not None else drawn + b"\n".join(map(_shown, page.lines))
        written += [
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %d 0 R/Annots[%s]%s/Resources<</Font<</F 3 0 R"
            b"/B 4 0 R/I 5 0 R>>/XObject<</Im %d 0 R>>>>>>"
            % (first + 1, b"%d 0 R" % (first + 3) if annotation else b"", page.extra, first + 2),
            stream(b"", content),
            page.image or b"null",
            annotation or b"null",
        ]
    path.write_bytes(file_of([*written, *others]))
    return path


def _shown(line: Line) -> bytes:
    text = line.text.replace("(", r"\(").replace(")", r"\)")
    return f"BT /{line.font} {line.size} Tf {line.matrix} {line.x} {line.y} Tm ({text}) Tj ET".encode("cp1252")


def stream(entries: bytes, data: bytes) -> bytes:
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (entries, len(data), data)


def file_of(objects: list[bytes]) -> bytes:
    written, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return written + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF"
        % (len(objects) + 1, table, len(objects) + 1, len(written))
    )


def column(text: str, *, x: float, top: float = 700, rows: int = 12) -> list[Line]:
    """Return rows of prose, each numbered, without a full stop."""
    return [Line(f"{text} {row:02d}", x, top - 12 * row, size=9) for row in range(rows)]


def jpeg(width: int = 64, height: int = 48) -> bytes:
    """Return a picture with something on it."""
    image = Image.effect_noise((width, height), 90).convert("RGB")
    data = io.BytesIO()
    image.save(data, "JPEG")
    return data.getvalue()


def image_of(data: bytes, entries: bytes, *, width: int = 64, height: int = 48) -> bytes:
    """Return an image object."""
    size = b"/Type/XObject/Subtype/Image/Width %d/Height %d/BitsPerComponent 8" % (width, height)
    return stream(size + entries, data)


def read(path: Path, **options: int) -> list[Part]:
    """Read all parts."""
    return list(pdf.read(path, limits=LIMITS, **options))


def elements(path: Path) -> list[Element]:
    """Read the elements of all parts."""
    return [element for part in read(path) for element in part.elements]


def text_of(path: Path) -> str:
    """Read all text, white space folded."""
    return " ".join(" ".join(element.text for element in elements(path)).split())


def assert_in_order(text: str, *phrases: str) -> None:
    """Assert that phrases follow one another."""
    places = [text.find(phrase) for phrase in phrases]
    assert -1 not in places, f"{phrases[places.index(-1)]!r} is missing"
    assert places == sorted(places)
