"""Read files that were made to harm: each ends as text or as a refusal, within 120 s of CPU time and 700 MB."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from ingest_assets.parsers.contract import Limits
from ingest_assets_tests.parsers.capped_reader import CappedReader
from ingest_assets_tests.parsers.pdf.pdf_files import Line, Page, file_of, stream, write
from ingest_assets_tests.parsers.reading import member, png, rewritten, word
from testing.soaking import share

pytestmark = pytest.mark.slow


def gigapixel() -> bytes:
    """Write a PNG of 35,000 x 35,000 pixels: some kilobytes packed, more than a gigabyte unpacked."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 + 35_000 // 8)) for _ in range(35_000)) + packer.flush()
    header = struct.pack(">IIBBBBB", 35_000, 35_000, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    written = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def tiny(number: int) -> bytes:
    """Write a picture of 48 x 32 pixels that differs from the others."""
    out = io.BytesIO()
    image = Image.new("RGB", (48, 32), "white")
    image.putpixel((number % 48, number // 48 % 32), (number % 251, number // 251 % 251, 7))
    image.save(out, "PNG")
    return out.getvalue()


def test_a_picture_of_a_gigapixel_is_refused_and_costs_a_document_only_itself(
    tmp_path: Path, reader: CappedReader
) -> None:
    (tmp_path / "a.png").write_bytes(gigapixel())
    assert "35,000 x 35,000" in reader.read(tmp_path / "a.png").refused
    found = reader.read(word(tmp_path / "a.docx", gigapixel(), png()))
    assert (found.finding, found.pictures) == ("", 1)
    assert any("35,000 x 35,000" in warning for warning in found.warnings)


def test_of_ten_thousand_tiny_pictures_as_many_as_a_file_may_have_are_taken(
    tmp_path: Path, reader: CappedReader
) -> None:
    pictures = [tiny(number) for number in range(10_000)]
    images = "".join(f'<img src="data:image/png;base64,{base64.b64encode(one).decode()}">' for one in pictures)
    (tmp_path / "a.html").write_text(f"<p>It rained.</p>{images}")
    found = reader.read(tmp_path / "a.html")
    assert (found.finding, found.refused, found.pictures) == ("", "", Limits().max_pictures)
    assert any("more than 2,000 distinct pictures" in warning for warning in found.warnings), found.warnings
    shape = "<v:shape xmlns:v='urn:schemas-microsoft-com:vml'><v:imagedata r:id='p{}'/></v:shape>"
    draw = f"<w:p><w:r><w:pict>{shape}</w:pict></w:r></w:p>"
    whole = word(tmp_path / "whole.docx")
    body = member(whole, "word/document.xml").decode()
    relations = member(whole, "word/_rels/document.xml.rels").decode()
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/image"
    related = "".join(f"<Relationship Id='p{n}' Type='{kind}' Target='media/{n}.png'/>" for n in range(10_000))
    types = member(whole, "[Content_Types].xml").decode()
    changes = {
        "word/document.xml": body.replace("<w:sectPr", "".join(map(draw.format, range(10_000))) + "<w:sectPr", 1),
        "word/_rels/document.xml.rels": relations.replace("</Relationships>", related + "</Relationships>"),
        "[Content_Types].xml": types.replace(
            "<Override", '<Default Extension="png" ContentType="image/png"/><Override', 1
        ),
    }
    media = {f"word/media/{number}.png": one for number, one in enumerate(pictures)}
    path = rewritten(whole, tmp_path / "a.docx", {name: text.encode() for name, text in changes.items()} | media)
    found = reader.read(path)
    assert (found.finding, found.refused, found.pictures) == ("", "", Limits().max_pictures)
    assert any("more than 2,000 distinct pictures" in warning for warning in found.warnings), found.warnings


def test_a_line_of_a_hundred_megabytes_is_read_whole(tmp_path: Path, reader: CappedReader) -> None:
    with (tmp_path / "a.txt").open("w") as file:
        for _ in range(1000):
            file.write("it rained on the fourth of may and " * 2857)
    found = reader.read(tmp_path / "a.txt")
    assert (found.finding, found.refused) == ("", "")
    assert found.chars > 99_000_000


def test_a_pdf_of_thousands_of_empty_pages_is_read_or_refused(tmp_path: Path, reader: CappedReader) -> None:
    pages = share(5_000, 20_000)
    last = Page(lines=(Line("It rained on the fourth of May.", 72, 700),))
    found = reader.read(write(tmp_path / "a.pdf", [*[Page()] * (pages - 1), last]))
    assert found.finding == ""
    assert found.parts == pages or f"{pages:,}" in found.refused


def looping(path: Path, content: bytes, form: bytes) -> Path:
    """Write a PDF page with a form that draws itself, a font whose glyph uses that font, and a chain of 500 filters."""
    chain = b"/Filter[" + b"/ASCIIHexDecode" * 500 + b"]"
    entries = b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 7 0 R>>>>"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents[4 0 R 5 0 R]"
        b"/Resources<</XObject<</X 7 0 R>>/Font<</F 6 0 R/T 8 0 R>>>>>>",
        stream(b"", b"BT /F 12 Tf 72 700 Td (It rained on the fourth of May.) Tj ET"),
        stream(chain, content) if content.isalnum() else stream(b"", content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        stream(entries, form),
        b"<</Type/Font/Subtype/Type3/FontBBox[0 0 9 9]/FontMatrix[1 0 0 1 0 0]/FirstChar 97/LastChar 97/Widths[9]"
        b"/Encoding<</Type/Encoding/Differences[97/a]>>/CharProcs<</a 9 0 R>>/Resources<</Font<</T 8 0 R>>>>>>",
        stream(b"", b"9 0 d0 BT /T 12 Tf 0 0 Td (aa) Tj ET"),
    ]
    path.write_bytes(file_of(objects))
    return path


@pytest.mark.parametrize("content", [b"/X Do", b"BT /T 12 Tf 72 600 Td (aaaa) Tj ET", b"30" * 10])
def test_what_refers_to_itself_in_a_pdf_costs_no_other_text(
    tmp_path: Path, reader: CappedReader, content: bytes
) -> None:
    found = reader.read(looping(tmp_path / "a.pdf", content, b"/X Do"))
    assert (found.finding, found.refused) == ("", "")
    assert found.chars >= len("It rained on the fourth of May.")


def test_a_form_that_draws_itself_twice_ends_at_the_cap(tmp_path: Path, reader: CappedReader) -> None:
    """PDFium doubles its memory with each level; the launcher leaves such a page unread (test_out_of_memory)."""
    found = reader.read(looping(tmp_path / "a.pdf", b"/X Do", b"/X Do /X Do"))
    assert found.finding == "killed by SIGABRT"
