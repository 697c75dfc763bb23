"""Read the title and the numbers of a chart (DOCX, PPTX, title only in XLSX).

The values are those that the program stored with the drawing. `python-pptx` is not used, because it makes a list as
long as the chart claims to be; here only the points that exist are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest_assets.parsers.building.numbers import number_text

if TYPE_CHECKING:
    from lxml import etree

_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_AXES = [f"{_C}{kind}" for kind in ("catAx", "dateAx", "serAx", "valAx")]


def chart_table(chart: etree._Element) -> tuple[str, list[list[str]]]:
    """Return the titles of a chart and its axes, and its table: a row per category, a column per series."""
    titles = [chart.find(f".//{_C}chart/{_C}title"), *(axis.find(f"{_C}title") for axis in chart.iter(*_AXES))]
    words = ", ".join(filter(None, (_words(title) for title in titles if title is not None)))
    names: list[str] = []
    columns: list[dict[int, str]] = []
    categories: dict[int, str] = {}
    for number, series in enumerate(chart.iter(f"{_C}ser"), start=1):
        name = series.find(f"{_C}tx")
        names.append(" ".join(value.text or "" for value in name.iter(f"{_C}v")) if name is not None else "")
        names[-1] = names[-1] or f"Series {number}"
        categories = categories or _points(series, "cat") or _points(series, "xVal")
        columns.append(_points(series, "val") or _points(series, "yVal"))
    places = sorted({place for column in [categories, *columns] for place in column})
    rows = [[categories.get(place, ""), *(column.get(place, "") for column in columns)] for place in places]
    return words, [["", *names], *rows] if rows else []


def _words(title: etree._Element) -> str:
    return " ".join(text.text or "" for text in title.iter(f"{_A}t", f"{_C}v")).strip()


def _points(series: etree._Element, name: str) -> dict[int, str]:
    parent = series.find(f"{_C}{name}")
    if parent is None:
        return {}
    points: dict[int, str] = {}
    for point in parent.iter(f"{_C}pt"):
        value = point.findtext(f"{_C}v", "")
        index = point.get("idx", "")
        place = int(index) if index.isascii() and index.isdigit() and len(index) < 10 else len(points)
        # Several levels of categories share an index: "2024 Q1".
        text = number_text(value) if name in {"val", "yVal"} else value
        points[place] = f"{text} {points[place]}" if place in points else text
    return points
