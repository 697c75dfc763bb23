"""Charts and drawings of a page are found by their paths, and tables, rules and icons are not."""

from __future__ import annotations

import io
import random
import time
import zlib
from pathlib import Path

from PIL import Image

from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.pdf import parser as pdf
from ingest_assets.parsers.pdf.graphics.figures import Figure, figures, is_part_of_any
from ingest_assets.parsers.pdf.objects import Box, PathObject
from ingest_assets.records import ElementType, Part

PAGE = (0.0, 0.0, 612.0, 792.0)
LINES = [f"Line {number} of the report, with words about the tide." for number in range(20)]


def found(*paths: PathObject, words: list[Box] | None = None, images: list[Box] | None = None) -> list[Figure]:
    return figures(paths, words=words or [], images=images or [], page=PAGE)


def bar(number: int, height: float) -> PathObject:
    left = 100.0 + 20 * number
    return PathObject((left, 300.0, left + 12, 300 + height), 5)


BARS = [bar(number, height) for number, height in enumerate((40, 90, 20, 130, 70, 55))]
CURVES = [PathObject((100.0 + 20 * n, 300.0 + 15 * n, 130.0 + 20 * n, 330.0 + 15 * n), 13) for n in range(6)]


def test_bars_of_many_sizes_are_a_chart_with_its_labels() -> None:
    label = (104.0, 288.0, 112.0, 296.0)
    (chart,) = found(*BARS, words=[label])
    left, bottom, right, top = chart.box
    assert left <= 100
    assert bottom <= 288
    assert right >= 212
    assert 430 <= top < 440
    assert not chart.has_words


def test_a_shaded_table_is_not_a_figure() -> None:
    cells = [(100.0 + 60 * (n % 4), 300.0 + 20 * (n // 4)) for n in range(20)]
    shading = [PathObject((x, y, x + 58, y + 18), 5) for x, y in cells]
    words = [(x + 5, y + 4, x + 45, y + 14) for x, y in cells]
    assert found(*shading, words=words) == []
    assert found(*shading) == []  # an empty form, whose cells have one size


def test_rules_frames_and_underlines_are_not_a_figure() -> None:
    rules = [PathObject((100.0, 300.0 + 20 * n, 400.0, 300.5 + 20 * n), 2) for n in range(12)]
    frame = PathObject((90.0, 290.0, 410.0, 550.0), 5)
    assert found(*rules, frame) == []


def test_curves_are_a_drawing_and_words_in_it_are_noticed() -> None:
    (drawing,) = found(*CURVES, words=[(150.0, 330.0, 180.0, 340.0)])
    assert drawing.has_words
    (graph,) = found(PathObject((100.0, 300.0, 300.0, 420.0), 200))
    assert graph.box[2] >= 300


def test_drawings_that_stand_apart_are_two_the_topmost_first() -> None:
    lower = [PathObject((left, bottom - 250, right, top - 250), 13) for (left, bottom, right, top), *_ in CURVES]
    first, second = found(*lower, *CURVES)
    assert first.box[1] > second.box[3]


def test_a_line_that_is_clipped_off_does_not_join_drawings() -> None:
    lower = [PathObject((left, bottom - 250, right, top - 250), 13) for (left, bottom, right, top), *_ in CURVES]
    spike = PathObject((120.0, -3000.0, 130.0, 3000.0), 13)
    assert len(found(*lower, *CURVES, spike)) == 2


def test_a_picture_under_lines_is_read_as_the_picture() -> None:
    assert found(*CURVES, images=[(90.0, 290.0, 260.0, 420.0)]) == []


def test_small_images_in_a_drawing_are_part_of_it() -> None:
    drawing = found(*CURVES)
    assert is_part_of_any(drawing, (150.0, 330.0, 165.0, 345.0))
    assert not is_part_of_any(drawing, (110.0, 310.0, 220.0, 400.0))
    assert not is_part_of_any(drawing, (50.0, 330.0, 65.0, 345.0))


def test_icons_are_too_small() -> None:
    assert found(*(PathObject((100.0 + n, 300.0 + n, 110.0 + n, 310.0 + n), 13) for n in range(9))) == []


def report(drawing: str, path: Path, *, label: str = "") -> list[Part]:
    """Read a page with lines of text above a drawing."""
    text = " ".join(f"({line}) Tj T*" for line in LINES)
    marks = f"BT /F1 9 Tf 160 160 Td ({label}) Tj ET" if label else ""
    content = zlib.compress(f"BT /F1 11 Tf 60 740 Td 14 TL {text} ET {marks} {drawing}".encode())
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    body = b"".join(b"%d 0 obj\n%s\nendobj\n" % (number, one) for number, one in enumerate(objects, start=1))
    path.write_bytes(b"%PDF-1.7\n" + body + b"trailer << /Size 6 /Root 1 0 R >>\n%%EOF")
    return list(pdf.read(path, limits=Limits()))


def slanting(count: int) -> str:
    dice = random.Random(1)
    ends = ([dice.randrange(100, 400), dice.randrange(100, 300)] for _ in range(count))
    return " ".join(f"{x} {y} m {x + dice.randrange(5, 60)} {y + dice.randrange(5, 60)} l S" for x, y in ends)


def test_a_drawing_comes_where_it_stands_as_a_picture_of_itself(tmp_path: Path) -> None:
    (part,) = report(f"1 0 0 RG 2 w {slanting(40)}", tmp_path / "a.pdf", label="Kelp forest")
    (picture,) = part.pictures
    *above, image_element, label = part.elements
    assert LINES[-1] in " ".join(element.text for element in above)
    assert (image_element.type, image_element.picture) == (ElementType.IMAGE, picture.sha256)
    assert label.text == "Kelp forest"
    assert picture.has_text_layer
    image = Image.open(io.BytesIO(picture.data))
    assert image.size == (picture.width, picture.height)
    assert (255, 0, 0) in {colour for _, colour in image.getcolors(maxcolors=1 << 24) or []}
    assert picture.width * picture.height <= 2_000_000


def test_a_page_of_too_many_lines_keeps_its_text_with_a_warning_in_bounded_time(tmp_path: Path) -> None:
    began = time.process_time()
    (part,) = report(slanting(100_000), tmp_path / "a.pdf")
    assert time.process_time() - began < 5
    assert part.pictures == ()
    assert "10,000 lines and areas" in part.warnings[0]
    assert LINES[-1] in " ".join(element.text for element in part.elements)


def test_a_page_of_many_lines_is_drawn_within_bounds(tmp_path: Path) -> None:
    began = time.process_time()
    (part,) = report(slanting(9_000), tmp_path / "a.pdf")
    assert time.process_time() - began < 5
    assert len(part.pictures) == 1


def test_the_figures_of_a_real_paper_are_found(corpus: Path) -> None:
    (path,) = corpus.rglob("tracemonkey.pdf")
    counts = {part.number: len(part.pictures) for part in pdf.read(path, limits=Limits())}
    expected = {1: 0, 2: 1, 3: 0, 6: 2, 7: 2, 10: 1, 11: 1, 13: 1}
    assert {page: counts[page] for page in expected} == expected
