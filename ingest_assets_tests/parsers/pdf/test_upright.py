"""A page with a rotation is read like an upright page: text, tables, drawings, pictures, forms."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.pdf.graphics.test_tables import ROWS, across, down, markdown
from ingest_assets_tests.parsers.pdf.pdf_files import (
    PROSE,
    Line,
    Page,
    assert_in_order,
    image_of,
    jpeg,
    read,
    text_of,
    write,
)

# How a page that is shown turned was drawn, given how it is shown: 595 x 842 points before the turn.
_DRAWN = {0: "1 0 0 1 0 0", 90: "0 1 -1 0 595 0", 180: "-1 0 0 -1 595 842", 270: "0 -1 1 0 0 842"}


def shown(rotate: int) -> Page:
    """Return a page of prose, a ruled table, a drawing and a picture that is shown the same at every turn."""
    lines = [Line(f"{PROSE} {row}", 70, 560 - 12 * row) for row in range(4)]
    lines += [
        Line(cell, x, 490 - 16 * i) for i, row in enumerate(ROWS) for cell, x in zip(row, (80, 220, 320), strict=True)
    ]
    lines += [Line("Below it all stands one more line of text.", 70, 20)]
    text = "\n".join(f"BT /F {line.size} Tf {line.x} {line.y} Td ({line.text}) Tj ET" for line in lines)
    dice = random.Random(1)
    starts = [(dice.randrange(80, 250), dice.randrange(250, 350)) for _ in range(30)]
    drawing = " ".join(f"{x} {y} m {x + 40} {y + dice.randrange(10, 60)} l S" for x, y in starts)
    table = f"{across(504, 486, 470, 454, 436)} {down(70, 210, 310, 400, foot=436, top=504)}"
    picture = "q 200 0 0 100 70 60 cm /Im Do Q"
    content = f"q {_DRAWN[rotate]} cm\n{table}\n{drawing}\n{picture}\n{text}\nQ"
    return Page(content=content.encode(), image=image_of(jpeg(), b"/ColorSpace/DeviceRGB/Filter/DCTDecode"))


@pytest.mark.parametrize("rotate", [90, 180, 270])
def test_a_turned_page_is_read_like_an_upright_one(tmp_path: Path, rotate: int) -> None:
    upright, turned = (
        read(write(tmp_path / f"{turn}.pdf", [shown(turn)._replace(extra=b"/Rotate %d" % turn)]))[0]
        for turn in (0, rotate)
    )
    assert [(each.type, each.text) for each in turned.elements] == [(each.type, each.text) for each in upright.elements]
    assert markdown(*ROWS) in [each.text for each in turned.elements if each.type is ElementType.TABLE]
    sizes = [(picture.width, picture.height) for picture in turned.pictures]
    assert sizes == [(picture.width, picture.height) for picture in upright.pictures]
    assert len(sizes) == 2
    assert turned.warnings == ()


def test_a_field_on_a_turned_page_stands_beside_its_label(tmp_path: Path) -> None:
    text = "BT /F 10 Tf 72 300 Td (Name:) Tj ET BT /F 10 Tf 72 270 Td (Town:) Tj ET"
    page = Page(content=f"q {_DRAWN[90]} cm\n{text}\nQ".encode(), extra=b"/Rotate 90")
    field = b"<</Type/Annot/Subtype/Widget/FT/Tx/T(name)/V(Ada Lovelace)/Rect[283 120 300 300]/F 4/DA(/F 10 Tf 0 g)>>"
    form = b"/AcroForm<</Fields[9 0 R]/DR<</Font<</F 3 0 R>>>>/DA(/F 10 Tf 0 g)>>"
    path = write(tmp_path / "a.pdf", [page], catalog=form, annotation=field)
    assert_in_order(text_of(path), "Name: Ada Lovelace", "Town:")


def test_a_turned_page_without_content_is_empty(tmp_path: Path) -> None:
    (part,) = read(write(tmp_path / "a.pdf", [Page(content=b"", extra=b"/Rotate 90")]))
    assert part.elements == ()
    assert part.problem == ""
