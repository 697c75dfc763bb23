"""Test which files `ingest add` takes from a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest_assets.cli.files.add import files_of
from ingest_assets.errors import BadInput

PASSED_OVER = (
    ".hidden",
    ".git/config",
    "~$report.docx",
    ".~lock.report.odt#",
    "report.pdf.part",
    "Thumbs.db",
    "deep/desktop.ini",
    "__MACOSX/report.pdf",
)


def lay(folder: Path, *names: str, text: str = "words") -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_a_folder_gives_its_documents_and_names_what_it_passes_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay(tmp_path, "a.txt", "deep/b.txt", *PASSED_OVER)
    lay(tmp_path, "deep/__init__.py", text="")
    assert [name for _, name in files_of([tmp_path])] == ["a.txt", "deep/b.txt"]
    told = capsys.readouterr().err
    assert "passed over" in told
    assert "and 4 more" in told


def test_a_file_that_is_named_is_never_passed_over(tmp_path: Path) -> None:
    lay(tmp_path, "empty.txt", text="")
    lay(tmp_path, "notes.tmp")
    assert [name for _, name in files_of([tmp_path / "empty.txt", tmp_path / "notes.tmp"])] == [
        "empty.txt",
        "notes.tmp",
    ]


def test_a_folder_without_documents_is_refused(tmp_path: Path) -> None:
    lay(tmp_path, "Thumbs.db")
    with pytest.raises(BadInput, match=r"no file to add in this folder: passed over .*Thumbs\.db"):
        list(files_of([tmp_path]))
