"""Make the demo's files: the papers of a weather station on an island that does not exist.

`python samples/source/make.py [FOLDER]` writes the PDF, DOCX, PPTX, XLSX and HTML from `content/` and the pictures of
`drawings.py`, by default into `samples/`; the same bytes each time. The Markdown and the plain text are as they were
written and need no making.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import drawings
from office_files import document, png, slides, workbook
from pdf_writer import two_columns

HERE = Path(__file__).parent


def make() -> dict[str, bytes]:
    """Return the content of each made file by its name."""
    pictures = {
        "rain-gauge": drawings.rain_gauge,
        "wind-by-month": drawings.wind_by_month,
        "power-plan": drawings.power_plan,
        "boat-times": drawings.boat_times,
        "storm-colours": drawings.storm_colours,
    }
    flags = base64.b64encode(png(drawings.flags()).getvalue()).decode("ascii")
    return {
        "station-handbook.pdf": two_columns(_content("station-handbook.txt"), drawings=pictures),
        "volunteer-guide.docx": document(_content("volunteer-guide.txt"), drawings=pictures),
        "winter-briefing.pptx": slides(_content("winter-briefing.txt"), drawings=pictures),
        "readings.xlsx": workbook(),
        "visitors.html": _content("visitors.html").replace("{flags}", flags).encode(),
    }


def _content(name: str) -> str:
    return (HERE / "content" / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent
    for name, data in make().items():
        (folder / name).write_bytes(data)
        sys.stdout.write(f"{folder / name}: {len(data):,} bytes\n")
