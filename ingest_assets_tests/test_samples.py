"""Test that the samples are what their script makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MADE = ("station-handbook.pdf", "volunteer-guide.docx", "winter-briefing.pptx", "readings.xlsx", "visitors.html")
WRITTEN = ("radio-procedures.md", "log-book.txt")


def test_the_samples_are_what_their_script_makes(samples: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(samples / "source/make.py"), str(tmp_path)], check=True, capture_output=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(MADE)
    changed = [name for name in MADE if (tmp_path / name).read_bytes() != (samples / name).read_bytes()]
    assert changed == []


def test_the_samples_are_small(samples: Path) -> None:
    assert sum((samples / name).stat().st_size for name in (*MADE, *WRITTEN)) < 1_000_000


def test_the_handbook_holds_three_pages_with_their_pictures(samples: Path) -> None:
    import pypdfium2

    with pypdfium2.PdfDocument(samples / "station-handbook.pdf") as document:
        pictures = [
            sum(isinstance(one, pypdfium2.PdfImage) for one in page.get_objects(max_depth=2)) for page in document
        ]
    assert len(pictures) == 3
    assert sum(pictures) == 3
