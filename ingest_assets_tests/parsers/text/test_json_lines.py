"""Test JSON lines: a record is a paragraph with its fields and their names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ingest_assets.errors import BadInput
from ingest_assets.parsers.text import json_lines
from ingest_assets_tests.parsers.reading import file, parts_of, texts_of


def test_a_record_is_a_paragraph_of_its_fields(tmp_path: Path) -> None:
    record = {
        "name": "Anna",
        "tags": ["a", "b"],
        "at": {"city": "Oslo", "zip": 12},
        "none": None,
        "pets": [{"kind": "cat"}],
    }
    lines = [json.dumps(record), "no json", '{"ok": true, "text": "naïve\\u2028line"}', "", "[1, 2]"]
    assert texts_of(json_lines, file(tmp_path, "\r\n".join(lines))) == [
        "name: Anna\ntags: a, b\nat.city: Oslo\nat.zip: 12\npets.kind: cat",
        "no json",
        "ok: true\ntext: naïve\nline",
        "1, 2",
    ]


def test_rows_are_counted_and_parts_the_same_from_any_start(tmp_path: Path) -> None:
    path = file(tmp_path, "".join(f'{{"n": {number}}}\n' for number in range(1_000)))
    parts = parts_of(json_lines, path)
    assert [part.last_row for part in parts[:3]] == [200, 400, 600]
    assert parts_of(json_lines, path, start=3) == parts[2:]


@pytest.mark.parametrize("line", ["[" * 100_000, '{"a":' * 50_000, '{"n": ' + "9" * 10_000 + "}", '"' * 3_000_000])
def test_records_without_end_are_text(tmp_path: Path, line: str) -> None:
    assert parts_of(json_lines, file(tmp_path, f'{line}\n{{"a": 1}}\n'))[-1].elements[-1].text == "a: 1"


def test_zero_bytes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="empty file"):
        parts_of(json_lines, file(tmp_path, b""))
