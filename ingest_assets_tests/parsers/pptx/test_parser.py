"""Test that a slide is read completely: shapes, also over its edge, charts, pictures and notes."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pptx as python_pptx
import pytest
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from ingest_assets.errors import BadInput
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.pptx import parser as pptx
from ingest_assets_tests.parsers.reading import member, parts_of, png, rewritten


@pytest.fixture
def presentation(tmp_path: Path) -> Path:
    made = python_pptx.Presentation()
    first = made.slides.add_slide(made.slide_layouts[5])
    first.shapes.title.text = "First slide"
    box = first.shapes.add_textbox(Inches(-0.5), Inches(-0.5), Inches(2), Inches(1))
    box.text_frame.text = "over the edge"
    data = CategoryChartData()
    data.categories = ["East", "West"]
    data.add_series("Q1", (19.2, 21.4))
    chart = first.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, Inches(2), Inches(4), Inches(3), data).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "Sales"
    chart.value_axis.axis_title.text_frame.text = "millions of EUR"
    first.notes_slide.notes_text_frame.text = "say this"
    second = made.slides.add_slide(made.slide_layouts[6])
    table = second.shapes.add_table(2, 2, 0, 0, Inches(4), Inches(1)).table
    table.cell(0, 0).text, table.cell(1, 0).text, table.cell(1, 1).text = "head", "a|b", "c"
    table.cell(0, 0).merge(table.cell(0, 1))
    second.shapes.add_picture(io.BytesIO(png()), 0, Inches(3))
    group = second.shapes.add_group_shape()
    group.shapes.add_textbox(0, Inches(5), Inches(1), Inches(1)).text_frame.text = "in a group"
    made.slides.add_slide(made.slide_layouts[6]).shapes.add_picture(io.BytesIO(png()), 0, 0)
    path = tmp_path / "made.pptx"
    made.save(str(path))
    return path


def test_everything_on_a_slide_is_read(presentation: Path) -> None:
    parts = parts_of(pptx, presentation)
    assert [[(element.type.value, element.text) for element in part.elements] for part in parts] == [
        [
            ("Title", "First slide"),
            ("NarrativeText", "over the edge"),
            ("NarrativeText", "Sales, millions of EUR"),
            ("Table", "|  | Q1 |\n| --- | --- |\n| East | 19.2 |\n| West | 21.4 |"),
            ("NarrativeText", "say this"),
        ],
        [
            ("Table", "| head | head |\n| --- | --- |\n| a\\|b | c |"),
            ("Image", ""),
            ("NarrativeText", "in a group"),
        ],
        [("Image", "")],
    ]
    assert [part.elements[0].page_number for part in parts] == [1, 2, 3]
    assert [len(part.pictures) for part in parts] == [0, 1, 0]


def test_a_reading_from_a_later_slide_has_its_picture_again(presentation: Path) -> None:
    (part,) = parts_of(pptx, presentation, start=3)
    assert part.number == 3
    assert len(part.pictures) == 1


def test_slides_are_counted_and_bounded(presentation: Path) -> None:
    assert pptx.count_pages(presentation, limits=Limits()) == 3
    with pytest.raises(BadInput, match="3 slides, over the limit of 2"):
        pptx.count_pages(presentation, limits=Limits(max_pages=2))


def test_a_broken_slide_is_quarantined_and_the_others_are_read(presentation: Path, tmp_path: Path) -> None:
    xml = member(presentation, "ppt/slides/slide1.xml").replace(b"<a:off x=", b"<a:off bad=").replace(b'y="', b'y="zz')
    parts = parts_of(pptx, rewritten(presentation, tmp_path / "new.pptx", {"ppt/slides/slide1.xml": xml}))
    assert "slide 1 cannot be read" in parts[0].problem
    assert parts[0].elements == ()
    assert len(parts[1].elements) == 3


def test_a_chart_that_claims_a_billion_points_is_read_at_once(presentation: Path, tmp_path: Path) -> None:
    name = next(
        name
        for name in ("ppt/charts/chart1.xml", "ppt/charts/chart2.xml", "ppt/charts/chart14.xml")
        if _has(presentation, name)
    )
    xml = member(presentation, name).replace(b'ptCount val="2"', b'ptCount val="1000000000"')
    parts = parts_of(pptx, rewritten(presentation, tmp_path / "new.pptx", {name: xml}))
    assert "| West | 21.4 |" in parts[0].elements[3].text


def _has(path: Path, name: str) -> bool:
    try:
        member(path, name)
    except KeyError:
        return False
    return True


def test_a_text_where_a_title_would_stand_is_the_title(tmp_path: Path) -> None:
    made = python_pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[6])
    for text, top in (("Below it, the text of the slide", 2), ("What this is about", 0.3)):
        slide.shapes.add_textbox(Inches(1), Inches(top), Inches(8), Inches(1)).text_frame.text = text
    path = tmp_path / "made.pptx"
    made.save(str(path))
    (part,) = parts_of(pptx, path)
    assert [(element.type.value, element.text) for element in part.elements] == [
        ("Title", "What this is about"),
        ("NarrativeText", "Below it, the text of the slide"),
    ]


def _with_one_id(path: Path, target: Path) -> Path:
    """Copy a presentation in which every shape of the first slide has the same id."""
    xml = re.sub(rb'(<p:cNvPr [^>]*?)\bid="\d+"', rb'\1id="2"', member(path, "ppt/slides/slide1.xml"))
    return rewritten(path, target, {"ppt/slides/slide1.xml": xml})


@pytest.mark.parametrize("layout", [5, 6], ids=["title in its placeholder", "title by its place"])
def test_shapes_that_share_an_id_with_the_title_are_all_read(tmp_path: Path, layout: int) -> None:
    made = python_pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[layout])
    title = slide.shapes.title if layout == 5 else slide.shapes.add_textbox(0, Inches(0.2), Inches(8), Inches(0.5))
    title.text_frame.text = "What this is about"
    slide.shapes.add_textbox(0, Inches(1), Inches(8), Inches(0.5)).text_frame.text = "a text box"
    table = slide.shapes.add_table(1, 2, 0, Inches(2), Inches(4), Inches(1)).table
    table.cell(0, 0).text, table.cell(0, 1).text = "left", "right"
    slide.shapes.add_picture(io.BytesIO(png()), 0, Inches(3))
    data = CategoryChartData()
    data.categories = ["East"]
    data.add_series("Q1", (19.2,))
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, Inches(4), Inches(4), Inches(1), data)
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(0, Inches(6), Inches(1), Inches(1)).text_frame.text = "in a group"
    path = tmp_path / "made.pptx"
    made.save(str(path))
    (part,) = parts_of(pptx, _with_one_id(path, tmp_path / "one_id.pptx"))
    assert [(element.type.value, element.text) for element in part.elements] == [
        ("Title", "What this is about"),
        ("NarrativeText", "a text box"),
        ("Table", "| left | right |\n| --- | --- |"),
        ("Image", ""),
        ("Table", "|  | Q1 |\n| --- | --- |\n| East | 19.2 |"),
        ("NarrativeText", "in a group"),
    ]
