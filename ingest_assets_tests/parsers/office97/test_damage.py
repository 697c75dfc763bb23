"""Test that encrypted, damaged and too large files of 1997 to 2003 are refused or read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from ingest_assets.errors import BadInput
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.office97 import doc, ppt, xls
from ingest_assets_tests.parsers.mutation import many_files, mutated, places, read_or_refuse
from ingest_assets_tests.parsers.office97.office_files import slides, word, workbook
from ingest_assets_tests.parsers.reading import file, parts_of


def test_what_is_encrypted_is_refused_by_name(tmp_path: Path) -> None:
    for parser, data in (
        (doc, word("x", flags=0x0100)),
        (ppt, slides(1, token=0xF3D1C4DF)),
        (xls, workbook([["x"]], protected=True)),
    ):
        with pytest.raises(BadInput, match="encrypted; upload it without a password"):
            parts_of(parser, file(tmp_path, data))


def test_too_many_pages_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="more slides than the limit of 2"):
        ppt.count_pages(file(tmp_path, slides(3)), limits=Limits(max_pages=2))
    with pytest.raises(BadInput, match="over the limit of 1"):
        xls.count_pages(file(tmp_path, workbook([["x"]], [["y"]])), limits=Limits(max_pages=1))


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    for parser, data in ((doc, word("x" * 9_000)), (ppt, slides(9)), (xls, workbook([["x"]]))):
        with pytest.raises(BadInput):
            parts_of(parser, file(tmp_path, data[:700]))


@pytest.mark.slow
@many_files
@given(changes=places)
def test_damage_is_refused_or_read(tmp_path: Path, corpus: Path, changes: list[tuple[float, str, bytes]]) -> None:
    fake = (corpus / "wrong_extension" / "fake.doc").read_bytes()
    sheets = workbook([["name", "age"], ["Anna", 3.0]], [["x"]])
    for name, data in (("a.doc", fake), ("a.doc", word("Text.\r" * 50)), ("a.ppt", slides(3)), ("a.xls", sheets)):
        read_or_refuse(file(tmp_path, mutated(data, changes), name), name)
