"""Test EPUB books: chapters in the order of the spine, named by their headings or by the table of contents."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given

from ingest_assets.errors import BadInput
from ingest_assets.parsers.detection.media_type import detect
from ingest_assets.parsers.epub import parser as epub
from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.mutation import many_files, mutated, places, read_or_refuse
from ingest_assets_tests.parsers.reading import elements_of, parts_of, png, texts_of

# spaCy, which unstructured loads to read HTML, gives DeprecationWarnings.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OPS/book.opf"/></rootfiles></container>'
)
_XHTML = '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml">'


def page(body: str, title: str = "The Book") -> str:
    return f"{_XHTML}<head><title>{title}</title></head><body>{body}</body></html>"


def book(
    folder: Path, *chapters: str, spine: str = "", ncx: str = "", members: Mapping[str, bytes] | None = None
) -> Path:
    items = "".join(
        f'<item id="c{n}" href="ch%20{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(len(chapters))
    )
    refs = spine or "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    toc = '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>' if ncx else ""
    opf = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        f"<dc:title>The Book</dc:title><dc:creator>Ann Author</dc:creator></metadata><manifest>{items}{toc}</manifest>"
        f"<spine>{refs}</spine></package>"
    )
    path = folder / "book.epub"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr("OPS/book.opf", opf)
        for number, chapter in enumerate(chapters):
            archive.writestr(f"OPS/ch {number}.xhtml", chapter)
        if ncx:
            archive.writestr("OPS/toc.ncx", ncx)
        for name, data in (members or {}).items():
            archive.writestr(name, data)
    return path


def test_chapters_stand_below_the_book_in_the_order_of_the_spine(tmp_path: Path) -> None:
    spine = '<itemref idref="c1"/><itemref idref="c0" linear="no"/>'
    path = book(tmp_path, page("<h1>Second</h1><p>Two.</p>"), page("<h1>First</h1><p>One.</p>"), spine=spine)
    assert detect(path, filename="a.zip") == "application/epub+zip"
    assert [(e.type, e.level, e.text) for e in elements_of(epub, path)] == [
        (ElementType.TITLE, 1, "The Book"),
        (ElementType.NARRATIVE_TEXT, 0, "Ann Author"),
        (ElementType.TITLE, 2, "First"),
        (ElementType.NARRATIVE_TEXT, 0, "One."),
        (ElementType.TITLE, 2, "Second"),
        (ElementType.NARRATIVE_TEXT, 0, "Two."),
    ]


def test_a_chapter_without_a_heading_has_its_name_from_the_table_of_contents(tmp_path: Path) -> None:
    point = '<navPoint><navLabel><text>Prologue</text></navLabel><content src="ch%200.xhtml#a"/></navPoint>'
    ncx = f'<!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" "x.dtd"><ncx><navMap>{point}</navMap></ncx>'
    texts = texts_of(epub, book(tmp_path, page("<p>Once.</p>"), ncx=ncx))
    assert texts[2:] == ["Prologue", "Once."]


def test_pictures_of_the_book_stand_where_they_are_set(tmp_path: Path) -> None:
    drawing = '<svg xmlns:xlink="x"><image xlink:href="../img/b.png"/></svg>'
    body = f'<p>Before.</p><img src="../img/a.png" alt="x"/><p>After.</p><div>{drawing}</div>'
    path = book(tmp_path, page(body), members={"img/a.png": png("red"), "img/b.png": png("blue")})
    assert [e.text for e in elements_of(epub, path)][2:] == ["Before.", "", "After.", ""]
    assert len(parts_of(epub, path)[0].pictures) == 2


def test_an_empty_xhtml_element_does_not_contain_the_rest_of_the_page(tmp_path: Path) -> None:
    body = '<script src="x.js"/><a id="top"/><p>All<span class="x"/> of it.</p><title/><p>And this.</p>'
    assert texts_of(epub, book(tmp_path, page(body)))[2:] == ["All of it.", "And this."]


def test_nothing_outside_of_the_book_is_read(tmp_path: Path) -> None:
    body = '<p>Text.</p><img src="../../../../etc/passwd" alt="a"/><img src="file:///etc/passwd" alt="b"/>'
    assert texts_of(epub, book(tmp_path, page(body)))[2:] == ["Text.", "a b"]


def test_entities_do_not_expand(tmp_path: Path) -> None:
    laughs = '<!DOCTYPE x [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    path = book(tmp_path, f"{laughs}<html><body><p>x &b; y</p></body></html>", ncx=f"{laughs}<ncx>&b;</ncx>")
    assert "haha" not in " ".join(texts_of(epub, path)[2:])


def test_a_locked_book_is_refused_and_one_with_locked_fonts_is_not(tmp_path: Path) -> None:
    def encryption(uri: str) -> bytes:
        reference = f'<CipherData><CipherReference URI="{uri}"/></CipherData>'
        return f"<encryption><EncryptedData>{reference}</EncryptedData></encryption>".encode()

    locked = book(tmp_path, page("<p>x</p>"), members={"META-INF/encryption.xml": encryption("OPS/ch%200.xhtml")})
    with pytest.raises(BadInput, match="DRM"):
        parts_of(epub, locked)
    fonts = book(tmp_path, page("<p>x</p>"), members={"META-INF/encryption.xml": encryption("OPS/font.otf")})
    assert texts_of(epub, fonts)[2:] == ["x"]


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="times its size"):
        parts_of(epub, book(tmp_path, page("<p>x</p>"), members={"OPS/x.css": b" " * 50_000_000}))


def test_a_book_without_a_package_document_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.epub"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
    with pytest.raises(BadInput, match="package document"):
        parts_of(epub, path)


def test_parts_are_the_same_from_any_start(tmp_path: Path) -> None:
    chapter = page("<h1>C</h1>" + "".join(f"<p>{f'Paragraph {n} of the chapter. ' * 8}</p>" for n in range(250)))
    path = book(tmp_path, chapter, chapter, page("<p>End.</p>"))
    parts = parts_of(epub, path)
    assert len(parts) > 4
    assert parts_of(epub, path, start=4) == parts[3:]


@pytest.mark.slow
@many_files
@given(changes=places)
def test_damage_is_refused_or_read(tmp_path: Path, corpus: Path, changes: list[tuple[float, str, bytes]]) -> None:
    path = tmp_path / "made.epub"
    path.write_bytes(mutated((corpus / "epub" / "testEPUB.epub").read_bytes(), changes))
    read_or_refuse(path, "made.epub")
    source = mutated(page("<h1>C</h1><p>Text <b>and</b> more.</p><table><tr><td>x</td></tr></table>").encode(), changes)
    read_or_refuse(book(tmp_path, source.decode("utf-8", "replace")), "made.epub")
