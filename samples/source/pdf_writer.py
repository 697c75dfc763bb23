"""Marked-up text in, a PDF of two columns out, written by hand so that the same text gives the same bytes."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image

WIDTH, HEIGHT, MARGIN, GUTTER = 595, 842, 54, 22
COLUMN = (WIDTH - 2 * MARGIN - GUTTER) / 2
SIZE, LEADING = 10.5, 14

# Advance widths of Helvetica, thousandths of its size, from the space to the tilde (Adobe's metrics).
_WIDTHS = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 278 278 "
    "584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 611 722 667 944 "
    "667 667 611 278 278 278 469 556 333 556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 556 556 333 500 "
    "278 556 500 722 500 500 500 334 260 334 584"
)
ADVANCE = dict(zip(map(chr, range(32, 127)), map(int, _WIDTHS.split()), strict=True))


@dataclass
class Layout:
    """Where the next line goes, and what stands on the pages so far."""

    drawings: dict[str, Callable[[], Image.Image]]
    pages: list[list[str]] = field(default_factory=list)
    pictures: dict[str, Image.Image] = field(default_factory=dict)
    column: int = 1
    y: float = 0.0
    top: float = HEIGHT - MARGIN

    def room(self, height: float) -> None:
        """Go to the next column, or page, where so much does not fit."""
        if self.pages and self.y - height >= MARGIN:
            return
        self.column = 1 - self.column
        if self.column == 0:
            self.pages.append([])
            self.top = HEIGHT - MARGIN
        self.y = self.top

    def text(self, line: str, *, font: str = "F1", size: float = SIZE, x: float | None = None) -> None:
        """Put one line at the current height."""
        left = MARGIN + self.column * (COLUMN + GUTTER) if x is None else x
        escaped = re.sub(r"([()\\])", r"\\\1", line)
        self.pages[-1].append(f"BT /{font} {size} Tf {left:.2f} {self.y:.2f} Td ({escaped}) Tj ET")


def two_columns(text: str, *, drawings: dict[str, Callable[[], Image.Image]]) -> bytes:
    """Set text whose lines begin with `# ` (title), `## ` (heading), `![name]` (picture, caption) or nothing.

    A `~` inside a word is where it may be divided.
    """
    layout = Layout(drawings)
    layout.room(0)
    title = ""
    for block in filter(None, text.splitlines()):
        if block.startswith("# "):
            title = block[2:]
            layout.y -= 14
            layout.text(title, font="F2", size=19, x=MARGIN)
            layout.top = layout.y = layout.y - 34
        elif block.startswith("## "):
            layout.room(4 * LEADING)
            layout.y -= 6
            layout.text(block[3:], font="F2", size=12.5)
            layout.y -= LEADING + 5
        elif block.startswith("!["):
            _figure(layout, block)
        else:
            _paragraph(layout, block)
    for number, page in enumerate(layout.pages, start=1):
        page.append(f"BT /F1 8 Tf {MARGIN} 30 Td ({title.replace('(', '').replace(')', '')}) Tj ET")
        page.append(f"BT /F1 8 Tf {WIDTH - MARGIN - 30} 30 Td (page {number}) Tj ET")
    return _file(layout, title=title)


def _paragraph(layout: Layout, text: str) -> None:
    for line in _lines(text):
        layout.room(LEADING)
        layout.text(line)
        layout.y -= LEADING
    layout.y -= 5


def _lines(text: str) -> list[str]:
    lines, line = [], ""
    for word in text.split():
        whole = word.replace("~", "")
        if _fits(f"{line} {whole}".strip()):
            line = f"{line} {whole}".strip()
            continue
        head, mark, tail = word.partition("~")
        if mark and _fits(f"{line} {head}-"):
            lines.append(f"{line} {head}-")
            line = tail
        else:
            lines.append(line)
            line = whole
    return [*lines, line]


def _fits(line: str) -> bool:
    return sum(ADVANCE[letter] for letter in line) * SIZE / 1000 <= COLUMN


def _figure(layout: Layout, block: str) -> None:
    name, caption = block[2:].split("] ", 1)
    image = layout.pictures.setdefault(name, layout.drawings[name]())
    height = COLUMN * image.height / image.width
    layout.room(height + 3 * LEADING)
    left = MARGIN + layout.column * (COLUMN + GUTTER)
    layout.y -= height - SIZE
    layout.pages[-1].append(f"q {COLUMN:.2f} 0 0 {height:.2f} {left:.2f} {layout.y:.2f} cm /{_key(name)} Do Q")
    layout.y -= LEADING
    for line in _lines(caption):
        layout.text(line, font="F3", size=8.5)
        layout.y -= LEADING
    layout.y -= 8


def _key(name: str) -> str:
    return "Im" + name.replace("-", "")


def _file(layout: Layout, *, title: str) -> bytes:
    """Number the objects, then write them with their table of offsets."""
    fonts = " ".join(f"/F{number} {number + 2} 0 R" for number in (1, 2, 3))
    first_page = 6 + len(layout.pictures)
    pictures = " ".join(f"/{_key(name)} {6 + index} 0 R" for index, name in enumerate(layout.pictures))
    kids = " ".join(f"{first_page + 2 * index} 0 R" for index in range(len(layout.pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(layout.pages)} /Kids [{kids}] /MediaBox [0 0 {WIDTH} {HEIGHT}] "
        f"/Resources << /Font << {fonts} >> /XObject << {pictures} >> >> >>".encode(),
    ]
    objects += [
        f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>".encode()
        for name in ("Helvetica", "Helvetica-Bold", "Helvetica-Oblique")
    ]
    objects += [_image(image) for image in layout.pictures.values()]
    for index, page in enumerate(layout.pages):
        objects.append(f"<< /Type /Page /Parent 2 0 R /Contents {first_page + 2 * index + 1} 0 R >>".encode())
        objects.append(_stream("", "\n".join(page).encode("cp1252")))
    objects.append(f"<< /Title ({title}) >>".encode())
    file = io.BytesIO()
    file.write(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(file.tell())
        file.write(b"%d 0 obj\n%s\nendobj\n" % (number, content))
    start = file.tell()
    file.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    file.write(b"".join(b"%010d 00000 n \n" % offset for offset in offsets))
    file.write(b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\n" % (len(objects) + 1, len(objects)))
    file.write(b"startxref\n%d\n%%%%EOF\n" % start)
    return file.getvalue()


def _image(image: Image.Image) -> bytes:
    entries = f"/Type /XObject /Subtype /Image /Width {image.width} /Height {image.height} "
    return _stream(entries + "/ColorSpace /DeviceRGB /BitsPerComponent 8 ", image.tobytes())


def _stream(entries: str, data: bytes) -> bytes:
    packed = zlib.compress(data, 9)
    return f"<< {entries}/Filter /FlateDecode /Length {len(packed)} >>\nstream\n".encode() + packed + b"\nendstream"
