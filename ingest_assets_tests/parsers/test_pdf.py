"""The PDF parser on small files made here, each of one kind, and on real ones where the corpus is."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import unicodedata
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from ingest_assets.errors import BadInput
from ingest_assets.parsers import pdf
from ingest_assets.parsers.contract import Limits
from ingest_assets.records import Element, ElementType, Part

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
            _stream(b"", content),
            page.image or b"null",
            annotation or b"null",
        ]
    path.write_bytes(_file([*written, *others]))
    return path


def _shown(line: Line) -> bytes:
    text = line.text.replace("(", r"\(").replace(")", r"\)")
    return f"BT /{line.font} {line.size} Tf {line.matrix} {line.x} {line.y} Tm ({text}) Tj ET".encode("cp1252")


def _stream(entries: bytes, data: bytes) -> bytes:
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (entries, len(data), data)


def _file(objects: list[bytes]) -> bytes:
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
    return _stream(size + entries, data)


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


def test_columns_are_read_one_after_the_other_although_they_were_written_row_by_row(tmp_path: Path) -> None:
    both = zip(column(PROSE, x=60), column(SECOND, x=310), strict=True)
    path = write(tmp_path / "a.pdf", [Page(tuple(line for pair in both for line in pair))])
    assert_in_order(text_of(path), f"{PROSE} 00", f"{PROSE} 11", f"{SECOND} 00", f"{SECOND} 11")


def test_three_columns_are_read_from_left_to_right(tmp_path: Path) -> None:
    texts = ("alpha beta gamma delta epsilon", "one two three four five six", "red green blue white and black")
    lines = [line for i in (2, 0, 1) for line in column(texts[i], x=50 + 180 * i)]
    path = write(tmp_path / "a.pdf", [Page(tuple(lines))])
    assert_in_order(text_of(path), *(f"{text} {row}" for text in texts for row in ("00", "11")))


def test_a_title_across_columns_comes_first_and_one_between_them_parts_them(tmp_path: Path) -> None:
    upper = [*column(PROSE, x=60, rows=6), *column(SECOND, x=310, rows=6)]
    lower = [*column(PROSE.upper(), x=60, top=500, rows=6), *column(SECOND.upper(), x=310, top=500, rows=6)]
    titles = (
        Line("A title that runs across both columns of it", 60, 740, 18),
        Line("And a second one, further down on the page", 60, 570, 18),
    )
    path = write(tmp_path / "a.pdf", [Page((*lower, *upper, *titles))])
    assert_in_order(text_of(path), titles[0].text, PROSE, SECOND, titles[1].text, PROSE.upper(), f"{SECOND.upper()} 05")


def test_a_table_is_read_row_by_row(tmp_path: Path) -> None:
    cells = [(f"item {row}", f"{row}.50 EUR", f"{row * 7} pieces") for row in range(20, 30)]
    lines = [Line(cell, 60 + 180 * i, 700 - 14 * row) for row, line in enumerate(cells) for i, cell in enumerate(line)]
    path = write(tmp_path / "a.pdf", [Page(tuple(lines))])
    assert_in_order(text_of(path), *(" | ".join(row) for row in cells))


def test_labels_and_values_are_read_together_although_all_values_were_written_last(tmp_path: Path) -> None:
    pairs = [("Invoice", "2024-001"), ("Date", "3 May"), ("Customer", "Smith"), ("Amount", "17.20"), ("Due", "1 June")]
    labels = [Line(label, 60, 700 - 20 * i) for i, (label, _) in enumerate(pairs)]
    values = [Line(value, 200, 700 - 20 * i) for i, (_, value) in enumerate(pairs)]
    path = write(tmp_path / "a.pdf", [Page((*labels, *values))])
    assert_in_order(text_of(path), *(f"{label} {value}" for label, value in pairs))


def test_titles_have_levels_by_size_then_by_number(tmp_path: Path) -> None:
    lines = (
        Line("The Document", 60, 780, 24),
        Line("1 First chapter", 60, 740, 16),
        *column(PROSE, x=60, top=710, rows=4),
        Line("1.1 A section in bold", 60, 640, 9, "B"),
        *column(SECOND, x=60, top=620, rows=4),
        Line("2 Second chapter", 60, 540, 16),
        *column(PROSE, x=60, top=510, rows=4),
    )
    path = write(tmp_path / "a.pdf", [Page(lines)])
    titles = [(element.text, element.level) for element in elements(path) if element.type is ElementType.TITLE]
    assert titles == [
        ("The Document", 1),
        ("1 First chapter", 2),
        ("1.1 A section in bold", 3),
        ("2 Second chapter", 2),
    ]


def test_paragraphs_end_at_gaps_and_indents_and_list_items_stand_alone(tmp_path: Path) -> None:
    lines = (
        Line(f"First {PROSE} {PROSE}", 60, 700),
        Line("and it ends here.", 60, 688),
        Line(f"Second, indented, {PROSE} wide", 75, 676),
        Line(f"goes on to {PROSE} the full {SECOND[:12]}", 60, 664),
        Line("and ends.", 60, 652),
        Line("* an item", 60, 620),
        Line("* another item", 60, 608),
    )
    path = write(tmp_path / "a.pdf", [Page(lines)])
    found = [(element.type, element.text.split()[0]) for element in elements(path)]
    assert found == [
        (ElementType.NARRATIVE_TEXT, "First"),
        (ElementType.NARRATIVE_TEXT, "Second,"),
        (ElementType.LIST_ITEM, "*"),
        (ElementType.LIST_ITEM, "*"),
    ]


def test_a_word_broken_at_a_line_end_is_joined_and_a_compound_keeps_its_hyphen(tmp_path: Path) -> None:
    lines = (
        Line("A self-locking nut and other things are looked at, and a descrip-", 60, 700),
        Line("tion of each is given in this text, above all of the kind self-", 60, 688),
        Line("locking nut which is used in aeroplanes and elsewhere for long", 60, 676),
    )
    text = text_of(write(tmp_path / "a.pdf", [Page(lines)]))
    assert "a description of each" in text
    assert "kind self-locking nut" in text


def test_running_headers_and_page_numbers_are_told_from_the_text(tmp_path: Path) -> None:
    pages = [
        Page((Line("Annual Report", 60, 800), *column(f"{PROSE} {page}", x=60), Line(f"Page {page}", 300, 30)))
        for page in range(1, 6)
    ]
    found = elements(write(tmp_path / "a.pdf", pages))
    headers = [element.text for element in found if element.type is ElementType.HEADER]
    footers = [element.text for element in found if element.type is ElementType.FOOTER]
    assert headers == ["Annual Report"] * 5
    assert footers == [f"Page {page}" for page in range(1, 6)]


@pytest.mark.parametrize(("rotate", "matrix"), [(90, "0 1 -1 0"), (180, "-1 0 0 -1"), (270, "0 -1 1 0")])
def test_a_turned_page_is_read_in_order(tmp_path: Path, rotate: int, matrix: str) -> None:
    down = {90: (1, 0), 180: (0, 1), 270: (-1, 0)}[rotate]
    lines = [Line(f"{PROSE} {i}", 300 + 14 * i * down[0], 400 + 14 * i * down[1], matrix=matrix) for i in range(5)]
    path = write(tmp_path / "a.pdf", [Page(tuple(reversed(lines)), extra=b"/Rotate %d" % rotate)])
    assert_in_order(text_of(path), *(f"{PROSE} {i}" for i in range(5)))


def test_a_letter_beyond_the_first_plane_and_a_ligature_keep_the_words_around_them(tmp_path: Path) -> None:
    cmap = b"1 begincodespacerange <00><FF> endcodespacerange 2 beginbfchar <41> <D835DC65> <42> <FB01> endbfchar"
    path = write(tmp_path / "a.pdf", [Page((Line("let A be Bnal", 60, 700), Line("A word", 60, 680)))])
    font = b"/BaseFont/Helvetica/ToUnicode 10 0 R>>"
    body = path.read_bytes().replace(b"/BaseFont/Helvetica>>", font, 1)
    objects = [part.split(b"\nendobj")[0] for part in body.split(b" 0 obj\n")[1:]]
    path.write_bytes(_file([*objects, _stream(b"", cmap)]))
    text = text_of(path)
    assert "be final" in text
    assert "\U0001d465 word" in text


def test_a_picture_stands_before_its_caption_and_a_jpeg_is_kept_as_it_is(tmp_path: Path) -> None:
    data = jpeg()
    lines = (*column(PROSE, x=72, rows=5), Line("Figure 1. A caption.", 72, 280), Line("After it.", 72, 200))
    path = write(tmp_path / "a.pdf", [Page(lines, image_of(data, b"/ColorSpace/DeviceRGB/Filter/DCTDecode"))])
    (part,) = read(path)
    kinds = [element.type for element in part.elements]
    place = kinds.index(ElementType.IMAGE)
    assert part.elements[place + 1].text == "Figure 1. A caption."
    assert part.elements[place].picture == part.pictures[0].sha256
    assert part.pictures[0].data == data
    assert part.pictures[0].page_number == 1


def test_a_picture_that_is_no_jpeg_becomes_png(tmp_path: Path) -> None:
    pixels = Image.effect_noise((64, 48), 90).tobytes()
    image = image_of(zlib.compress(pixels), b"/ColorSpace/DeviceGray/Filter/FlateDecode")
    (part,) = read(write(tmp_path / "a.pdf", [Page((Line("text", 72, 700),), image)]))
    (picture,) = part.pictures
    assert (picture.media_type, picture.width, picture.height) == ("image/png", 64, 48)
    with Image.open(io.BytesIO(picture.data)) as shown:
        assert shown.tobytes() == pixels


def test_bullets_rules_and_plain_areas_are_no_pictures(tmp_path: Path) -> None:
    plain = image_of(zlib.compress(bytes(64 * 48)), b"/ColorSpace/DeviceGray/Filter/FlateDecode")
    small = image_of(jpeg(20, 20), b"/ColorSpace/DeviceRGB/Filter/DCTDecode", width=20, height=20)
    pages = [Page((Line("text", 72, 700),), plain), Page((Line("text", 72, 700),), small)]
    assert all(part.pictures == () and not part.warnings for part in read(write(tmp_path / "a.pdf", pages)))


def test_a_picture_of_a_gigapixel_is_left_out_with_a_warning_before_it_is_decoded(tmp_path: Path) -> None:
    bomb = image_of(b"", b"/ColorSpace/DeviceGray/Filter/CCITTFaxDecode", width=35_000, height=35_000)
    (part,) = read(write(tmp_path / "a.pdf", [Page((Line("text", 72, 700),), bomb)]))
    assert part.pictures == ()
    assert [element.text for element in part.elements] == ["text"]
    assert "35,000 x 35,000 pixels" in part.warnings[0]


def test_blank_pages_are_empty_parts(tmp_path: Path) -> None:
    parts = read(write(tmp_path / "a.pdf", [Page(), Page()]))
    assert parts == [Part(1, page_number=1), Part(2, page_number=2)]


def test_the_scan_behind_its_own_text_layer_is_no_picture_on_the_page(tmp_path: Path) -> None:
    image = image_of(jpeg(), b"/ColorSpace/DeviceRGB/Filter/DCTDecode")
    hidden = b"q 595 0 0 842 0 0 cm /Im Do Q BT 3 Tr /F 10 Tf 72 700 Td (%s) Tj ET"
    layer = f"{PROSE} {SECOND} {PROSE}"
    (part,) = read(write(tmp_path / "a.pdf", [Page(image=image, content=hidden % layer.encode())]))
    assert [element.text for element in part.elements] == [layer]
    assert part.pictures == ()


def test_a_field_s_value_stands_beside_its_label(tmp_path: Path) -> None:
    field = b"<</Type/Annot/Subtype/Widget/FT/Tx/T(name)/V(Ada Lovelace)/Rect[120 695 300 712]/F 4/DA(/F 10 Tf 0 g)>>"
    form = b"/AcroForm<</Fields[9 0 R]/DR<</Font<</F 3 0 R>>>>/DA(/F 10 Tf 0 g)>>"
    lines = (Line("Name:", 72, 700), Line("Town:", 72, 670))
    path = write(tmp_path / "a.pdf", [Page(lines)], catalog=form, annotation=field)
    assert_in_order(text_of(path), "Name: Ada Lovelace", "Town:")


def test_a_broken_page_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pdf", [Page((Line(f"page {i}", 72, 700),)) for i in (1, 2, 3)])
    body = path.read_bytes()
    second = body.index(b"/Type/Page/Parent", body.index(b"/Type/Page/Parent") + 1)
    path.write_bytes(body[:second] + b"/Type/Nope/Parent" + body[second + len(b"/Type/Page/Parent") :])
    parts = read(path)
    assert [part.number for part in parts] == [1, 2, 3]
    assert [bool(part.problem) for part in parts] in ([False, True, False], [False, False, False])
    assert parts[0].elements[0].text == "page 1"
    assert parts[2].elements[0].text == "page 3"


@pytest.mark.parametrize("start", [2, 13, 30])
def test_reading_from_a_later_page_yields_the_same_parts(tmp_path: Path, start: int) -> None:
    pages = [
        Page(
            (
                Line("Report", 60, 800),
                Line(f"Chapter {i}", 60, 750, 16),
                *column(f"{PROSE} {i}", x=60),
                Line(str(i), 300, 30),
            )
        )
        for i in range(1, 31)
    ]
    path = write(tmp_path / "a.pdf", pages)
    assert read(path, start=start) == read(path)[start - 1 :]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"%PDF-1.7\n%%EOF", "damaged or truncated"),
        (b"not a PDF at all", "damaged or truncated"),
        (
            b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj",
            "damaged",
        ),
    ],
)
def test_what_cannot_be_opened_is_refused_with_the_reason(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(data)
    with pytest.raises(BadInput, match=reason):
        pdf.count_pages(path, limits=LIMITS)
    with pytest.raises(BadInput, match=reason):
        read(path)


def test_more_pages_than_allowed_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pdf", [Page()] * 4)
    assert pdf.count_pages(path, limits=LIMITS) == 4
    with pytest.raises(BadInput, match="4 pages, over the limit of 3"):
        pdf.count_pages(path, limits=Limits(max_pages=3))


def test_a_page_with_more_text_than_a_part_may_hold_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pdf", [Page(tuple(column(PROSE, x=60))), Page((Line("short", 60, 700),))])
    long, short = pdf.read(path, limits=Limits(max_part_chars=100))
    assert "over 100 characters" in long.problem
    assert short.elements[0].text == "short"


def test_importing_the_parser_does_not_import_pdfium() -> None:
    code = "import sys, ingest_assets.parsers.pdf; sys.exit('pypdfium2' in sys.modules or 'PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _expectations(corpus: Path) -> list[tuple[str, str, list[str]]]:
    with (corpus / "MANIFEST.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    columns = ("ground_truth_phrase", "late_phrase_near_the_end")
    return [(row["path"], row["expected_outcome"], [row[name] for name in columns if row[name]]) for row in rows]


def _normalised(text: str) -> str:
    hidden = dict.fromkeys([0xAD, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
    return " ".join(unicodedata.normalize("NFKC", text).translate(hidden).split())


def test_every_file_of_the_corpus_is_read_with_its_phrases_or_refused_by_name(corpus: Path) -> None:
    seen = 0
    for name, outcome, phrases in _expectations(corpus):
        if not name.startswith(("pdf/", "pdf_hostile/")):
            continue
        seen += 1
        try:
            text = _normalised(text_of(corpus / name))
        except BadInput:
            assert "clear error" in outcome, name
            continue
        assert "error" not in outcome or "ok" in outcome, name
        for phrase in phrases:
            assert _normalised(phrase) in text, f"{name}: {phrase}"
    assert seen > 20


def test_the_columns_of_a_paper_are_read_in_order_and_its_headings_found(corpus: Path) -> None:
    found = elements(corpus / "pdf/tracemonkey.pdf")
    titles = [element.text for element in found if element.type is ElementType.TITLE]
    assert titles[:4] == [
        "Trace-based Just-in-Time Type Specialization for Dynamic Languages",
        "Abstract",
        "1. Introduction",
        "2. Overview: Example Tracing Run",
    ]
    text = " ".join(" ".join(element.text for element in found).split())
    assert_in_order(
        text,
        "more difficult to compile than statically typed",
        "client-side web programming and is used for the application logic of browser-based productivity",
        "the same types will occur in subsequent loop iterations",
    )


def test_vertical_japanese_is_read_from_right_to_left_with_lines_of_missing_fonts(corpus: Path) -> None:
    text = text_of(corpus / "pdf/jo.pdf")
    assert_in_order(text, "序", "わたくしといふ現象は", "これらは二十二箇月の", "すべてこれらの命題は", "大正十三年")


def test_arabic_is_in_base_letters_and_logical_order(corpus: Path) -> None:
    assert "وحل المشكلات من خلال البرمجة" in text_of(corpus / "pdf/right_to_left_01.pdf")
    assert "انواع الخطوط العربية" in text_of(corpus / "pdf/ArabicCIDTrueType.pdf")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("2206.01062_pg3.pdf", "needs a password"),
        ("aes-256-r6.pdf", "needs a password"),
        ("Brotli-Prototype-FileA.pdf", "Brotli"),
        ("poppler-395-0-fuzzed.pdf", "damaged or truncated"),
    ],
)
def test_the_reason_of_a_refusal_is_the_true_one(corpus: Path, name: str, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        read(corpus / "pdf_hostile" / name)


@pytest.mark.slow
def test_memory_does_not_grow_with_pages(corpus: Path, tmp_path: Path) -> None:
    from pypdfium2 import PdfDocument

    once, many = corpus / "pdf/pdf2image-memory-error-test-400p.pdf", tmp_path / "five-times.pdf"
    with PdfDocument.new() as target, PdfDocument(once) as source:
        for _ in range(5):
            target.import_pages(source)
        target.save(many)
    # the library's own 30 MB are in both, as they are in every run
    assert _peak_kb(many) <= 1.1 * _peak_kb(once)


def _peak_kb(path: Path) -> int:
    code = (
        "import sys; from pathlib import Path; from ingest_assets.parsers import contract, pdf\n"
        "for part in pdf.read(Path(sys.argv[1]), limits=contract.Limits()): pass\n"
        "print(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])"  # getrusage's is inherited
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    return int(done.stdout)
