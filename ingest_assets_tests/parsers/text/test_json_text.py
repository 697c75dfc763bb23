"""Test JSON as text: escapes in strings are decoded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ingest_assets.errors import BadInput
from ingest_assets.parsers.families import parser_for
from ingest_assets.parsers.text import json_text
from ingest_assets_tests.parsers.reading import file, parts_of, texts_of


def test_escapes_are_the_characters_that_are_meant(tmp_path: Path) -> None:
    source = json.dumps([{"city": "München", "say": 'the "lamp"\nis \\ lit', "sign": "😀"}])
    assert "\\u" in source
    decoded = '[{"city": "München", "say": "the "lamp" is \\ lit", "sign": "😀"}]'
    assert texts_of(json_text, file(tmp_path, source)) == [decoded]


def test_an_incomplete_escape_stays_as_it_is(tmp_path: Path) -> None:
    assert texts_of(json_text, file(tmp_path, r'["\q \u12 \ud83d x"]')) == [r'["\q \u12 x"]']


def test_a_json_file_comes_here_and_an_empty_one_is_refused(tmp_path: Path) -> None:
    assert parser_for("application/json", filename="a.json") is json_text
    with pytest.raises(BadInput, match="empty"):
        parts_of(json_text, file(tmp_path, b""))
