"""Test that a field gives its result, a form what was chosen in it, and an empty form nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest_assets.parsers.docx import parser as docx
from ingest_assets_tests.parsers.docx.word_files import body, run
from ingest_assets_tests.parsers.reading import texts_of

MARK = {kind: f"<w:r><w:fldChar w:fldCharType='{kind}'/></w:r>" for kind in ("begin", "separate", "end")}
ENTRIES = "<w:listEntry w:val='red'/><w:listEntry w:val='green'/>"


@pytest.mark.parametrize(
    ("xml", "texts"),
    [
        (
            f"<w:p>{MARK['begin']}{run('IF ')}{MARK['begin']}{run('x')}{MARK['separate']}{run('inner')}{MARK['end']}"
            f"{MARK['separate']}{run('yes')}{MARK['end']}{run(' sir')}</w:p>",
            ["yes sir"],
        ),
        (f"<w:p>{MARK['begin']}{run('never closed')}</w:p>", ["never closed"]),
        (
            f"<w:p>{run('Name:')}<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>{run(' type it')}"
            "</w:sdtContent></w:sdt></w:p>",
            ["Name:"],
        ),
        (
            "<w:p><w:sdt><w:sdtPr><w:showingPlcHdr w:val='0'/></w:sdtPr><w:sdtContent>"
            f"{run('typed')}</w:sdtContent></w:sdt></w:p>",
            ["typed"],
        ),
    ],
)  # fmt: skip
def test_what_a_field_shows_is_read(tmp_path: Path, xml: str, texts: list[str]) -> None:
    assert texts_of(docx, body(tmp_path, xml)) == texts


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("<w:checkBox><w:checked/></w:checkBox>", "☒ it is"),
        ("<w:checkBox><w:default w:val='1'/></w:checkBox>", "☒ it is"),
        ("<w:checkBox><w:default w:val='1'/><w:checked w:val='0'/></w:checkBox>", "☐ it is"),
        (f"<w:ddList><w:result w:val='1'/>{ENTRIES}</w:ddList>", "green it is"),
        (f"<w:ddList><w:default w:val='1'/>{ENTRIES}</w:ddList>", "green it is"),
        (f"<w:ddList>{ENTRIES}</w:ddList>", "red it is"),
        (f"<w:ddList><w:result w:val='9'/>{ENTRIES}</w:ddList>", "it is"),
        ("<w:ddList/>", "it is"),
        ("<w:textInput><w:default w:val='your name'/></w:textInput>", "it is"),
    ],
)  # fmt: skip
def test_what_was_chosen_in_a_form_is_read(tmp_path: Path, data: str, text: str) -> None:
    field = f"<w:r><w:fldChar w:fldCharType='begin'><w:ffData>{data}</w:ffData></w:fldChar></w:r>"
    assert texts_of(docx, body(tmp_path, f"<w:p>{field}{run(' it is')}</w:p>")) == [text]
