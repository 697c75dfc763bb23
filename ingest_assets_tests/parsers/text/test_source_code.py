"""Test source code: blocks begin where a definition does and keep their indentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest_assets.errors import BadInput
from ingest_assets.parsers.text import source_code as source
from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.reading import elements_of, file, parts_of


def test_blocks_begin_with_a_definition_and_keep_their_indents(tmp_path: Path) -> None:
    functions = [f"def f{number}():\n    one = '{'x' * 500}'\n\n    return {number}" for number in range(20)]
    elements = elements_of(source, file(tmp_path, "\n\n\n".join(functions) + "\n"))
    assert {element.type for element in elements} == {ElementType.CODE}
    assert len(elements) == 5
    assert all(element.text.startswith("def f") and "\n    one" in element.text for element in elements)
    assert "\n\n\n".join(element.text for element in elements) == "\n\n\n".join(functions)


def test_a_line_without_end_is_cut(tmp_path: Path) -> None:
    elements = elements_of(source, file(tmp_path, "var x=1;" * 100_000))
    assert max(len(element.text) for element in elements) <= 20_000


def test_parts_are_the_same_from_any_start(tmp_path: Path) -> None:
    path = file(tmp_path, "\n\n".join(f"x{number} = {number}" for number in range(10_000)))
    parts = parts_of(source, path)
    assert len(parts) > 3
    assert parts_of(source, path, start=3) == parts[2:]


def test_zero_bytes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="empty file"):
        parts_of(source, file(tmp_path, b""))
