"""Test that tables fit the terminal, and that text cannot control it."""

from __future__ import annotations

from typing import Any

import pytest

from ingest_assets.cli.tables.file_tables import ProcessedFile, show_file, show_processed
from ingest_assets.cli.tables.output import printable, wrapped
from ingest_assets.ledger_records import FileRecord, StageCost, State

LONG_NAME = "a-very-long-name-of-a-file-that-somebody-scanned-and-never-renamed-2026-11-29.pdf"


def a_record(filename: str, **otherwise: Any) -> FileRecord:
    counts = {"pages": 120, "elements": 4800, "pictures": 31, "chunks": 210, "embedded": 200, "reused": 10}
    owner = {"file_id": f"ann:p:{filename}", "user_id": "ann", "project_id": "p", "key": f"ann/p/{filename}"}
    spent = {"seconds": 123.45, "peak_memory_mb": 554.2}
    fields: dict[str, Any] = {**owner, **counts, **spent, "filename": filename, "state": State.SUCCEEDED, **otherwise}
    return FileRecord(**fields)


def printed(capsys: pytest.CaptureFixture[str], *records: FileRecord) -> list[str]:
    show_processed([ProcessedFile(record) for record in records], as_json=False)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_a_table_leaves_columns_out_and_breaks_no_word(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    head, *rows = printed(capsys, a_record("log-book.txt"), a_record("station-handbook.pdf"))
    assert max(map(len, (head, *rows))) <= width
    assert len(rows) == 2
    assert head.split()[:2] == ["file", "state"]
    assert all(row.split()[1] == "succeeded" for row in rows)
    assert ("elements" in head) is (width >= 120)
    assert "chunks" in head


def test_a_long_name_is_folded_and_costs_no_other_row_its_figures(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    head, *rows = printed(capsys, a_record("log-book.txt"), a_record(LONG_NAME))
    assert "chunks" in head
    assert max(map(len, rows)) <= 80
    assert "".join(row.split()[0] for row in rows[1:]) == LONG_NAME


def test_one_file_is_shown_with_what_is_wrong_first(capsys: pytest.CaptureFixture[str]) -> None:
    record = a_record(
        "bad.pdf",
        state=State.FAILED,
        error="ann/p/bad.pdf: it is encrypted; upload it without a password",
        stages=(StageCost("raw_files", 0.01, 200.0),),
    )
    show_file(record, as_json=False)
    first, second, *rest = capsys.readouterr().out.splitlines()
    assert first == "ann/p/bad.pdf: failed"
    assert second.split() == ["error", *record.error.split()]
    text = "\n".join(rest)
    assert "in store   nothing" in text
    assert "raw_files: 0.01 s, peak 200 MB" in text
    assert "()" not in text


def test_control_characters_are_shown_and_not_sent() -> None:
    assert printable("a\x1b[31m\n\u202eb") == "a\\x1b[31m\n\\u202eb"


def test_lines_of_a_report_break_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert wrapped("cap        500 MB, by a very_long_unbroken_word", indent="  ").splitlines() == [
        "cap        500 MB,",
        "  by a",
        "  very_long_unbroken_word",
    ]


def test_a_name_is_never_read_as_markup_or_emoji(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, row = printed(capsys, a_record("[red]:cat:[/red] a long enough name.txt"))
    assert row.startswith("[red]:cat:[/red] a long enough name.txt")
