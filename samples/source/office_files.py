"""Marked-up text in, DOCX, PPTX and XLSX out, with the clock taken out of them: the same text gives the same bytes."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from datetime import date, timedelta

from PIL import Image

Drawings = dict[str, Callable[[], Image.Image]]


def document(text: str, *, drawings: Drawings) -> bytes:
    """Set a DOCX: `# `, `## ` are headings, `- ` list items, `|` rows of a table, `![name]` pictures."""
    import docx
    from docx.shared import Cm

    file = docx.Document()
    table = None
    for block in filter(None, text.splitlines()):
        if block.startswith("|"):
            cells = [cell.strip() for cell in block.strip("|").split("|")]
            table = table or file.add_table(rows=0, cols=len(cells), style="Table Grid")
            for cell, content in zip(table.add_row().cells, cells, strict=True):
                cell.text = content
            continue
        table = None
        if block.startswith("!["):
            file.add_picture(png(drawings[block[2:].rstrip("]")]()), width=Cm(12))
        elif block.startswith("#"):
            marks, heading = block.split(" ", 1)
            file.add_heading(heading, level=len(marks))
        else:
            style = "List Bullet" if block.startswith("- ") else None
            file.add_paragraph(block.removeprefix("- "), style=style)
    return _timeless(file.save)


def slides(text: str, *, drawings: Drawings) -> bytes:
    """Set a PPTX: `# ` begins a slide, `- ` is a point, `> ` the speaker's notes, `![name]` a picture."""
    import pptx
    from pptx.util import Cm

    file = pptx.Presentation()
    for part in text.split("# ")[1:]:
        title, *blocks = part.strip().splitlines()
        slide = file.slides.add_slide(file.slide_layouts[1])
        slide.shapes.title.text = title
        points = slide.placeholders[1]
        points.text_frame.text = "\n".join(block[2:] for block in blocks if block.startswith("- "))
        for block in blocks:
            if block.startswith("!["):
                slide.shapes.add_picture(png(drawings[block[2:].rstrip("]")]()), Cm(12.5), Cm(11.5), width=Cm(11))
            elif block.startswith("> "):
                slide.notes_slide.notes_text_frame.text = block[2:]
    return _timeless(file.save)


def workbook() -> bytes:
    """Make an XLSX: a month's readings day by day, and the stores."""
    import openpyxl

    file = openpyxl.Workbook()
    readings = file.active
    readings.title = "Readings October"
    readings.append(["Date", "Rain mm", "Mean wind kn", "Max C", "Min C", "Voltage", "Keeper", "Remark"])
    remarks = {
        3: "Mast lowered, vane oiled",
        9: "Boat turned back",
        17: "Fog all day",
        25: "Overflow can weighed: 812 g",
    }
    for day in range(31):
        rain = 31.2 if day + 1 == 25 else (day * 37 % 23) * (day * 11 % 4) / 5
        keeper = ("Halvorsen", "Brekke", "Lund")[day // 11]
        warmest = 13 - day / 5
        row = [date(2025, 10, 1) + timedelta(days=day), round(rain, 1), 14 + day * 29 % 19, round(warmest, 1)]
        readings.append(
            [*row, round(warmest - 4 + day * 7 % 3, 1), 23.9 + day * 13 % 14 / 10, keeper, remarks.get(day + 1)]
        )
    stores = file.create_sheet("Stores")
    stores.append(["Item", "Unit", "In the larder", "Needed for 28 days", "Counted on"])
    for number, (item, unit, needed) in enumerate(STORES):
        stores.append(
            [item, unit, needed + number * 5 % 7 - 2, needed, date(2025, 10, 27) + timedelta(days=number % 3)]
        )
    return _timeless(file.save)


STORES = (
    ("Flour", "kg", 18),
    ("Oats", "kg", 9),
    ("Potatoes", "kg", 40),
    ("Tinned fish", "tins", 56),
    ("Tinned tomatoes", "tins", 30),
    ("Dried peas", "kg", 6),
    ("Coffee", "kg", 4),
    ("Sugar", "kg", 5),
    ("Cooking oil", "litres", 4),
    ("Diesel", "litres", 300),
    ("Paraffin", "litres", 45),
    ("Distilled water", "litres", 20),
    ("Measuring glasses", "pieces", 2),
    ("Muslin for the wet bulb", "pieces", 8),
    ("Fuses F7, 40 A", "pieces", 6),
)


def png(image: Image.Image) -> io.BytesIO:
    """Encode a picture as a file."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=9)
    file.seek(0)
    return file


def _timeless(save: Callable[[io.BytesIO], object]) -> bytes:
    """Write the archive again with one date for every member and property."""
    made, timeless = io.BytesIO(), io.BytesIO()
    save(made)
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(timeless, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?", b"2025-11-01T00:00:00Z", content)
            target.writestr(zipfile.ZipInfo(name, (2025, 11, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return timeless.getvalue()
