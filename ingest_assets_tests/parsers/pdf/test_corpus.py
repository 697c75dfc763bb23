"""PDFs of the corpus, made by other people, are read with the phrases that its manifest expects."""

from __future__ import annotations

import csv
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from ingest_assets.errors import BadInput
from ingest_assets.records import ElementType
from ingest_assets_tests.conftest import CORPUS
from ingest_assets_tests.parsers.pdf.pdf_files import assert_in_order, elements, read, text_of

MANIFEST = CORPUS / "MANIFEST.tsv"
# Hundreds of pages: 10 to 15 seconds of processor time each.
LONG = {"pdf/pdf2image-memory-error-test-400p.pdf", "pdf/GeoTopo-komprimiert.pdf"}


def _expectations() -> list[ParameterSet]:
    """Return path, expected outcome and phrases of each PDF in the manifest; nothing without the corpus."""
    if not MANIFEST.is_file():
        return []
    with MANIFEST.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    columns = ("ground_truth_phrase", "late_phrase_near_the_end")
    return [
        pytest.param(
            row["path"],
            row["expected_outcome"],
            [row[name] for name in columns if row[name]],
            id=row["path"],
            marks=[pytest.mark.slow] if row["path"] in LONG else [],
        )
        for row in rows
        if row["path"].startswith(("pdf/", "pdf_hostile/"))
    ]


def _normalised(text: str) -> str:
    hidden = dict.fromkeys([0xAD, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
    return " ".join(unicodedata.normalize("NFKC", text).translate(hidden).split())


@pytest.mark.parametrize(("name", "outcome", "phrases"), _expectations())
def test_a_file_of_the_corpus_is_read_with_its_phrases_or_refused_by_name(
    name: str, outcome: str, phrases: list[str]
) -> None:
    try:
        text = _normalised(text_of(CORPUS / name))
    except BadInput:
        assert "clear error" in outcome
        return
    assert "error" not in outcome or "ok" in outcome
    for phrase in phrases:
        assert _normalised(phrase) in text


@pytest.mark.usefixtures("corpus")
def test_the_corpus_has_its_pdfs() -> None:
    assert len(_expectations()) > 20


def test_the_columns_of_a_paper_are_read_in_order_and_its_headings_found(corpus: Path) -> None:
    found = elements(corpus / "pdf/tracemonkey.pdf")
    titles = [element.text for element in found if element.type is ElementType.TITLE]
    assert titles[:4] == [
        "Trace-based Just-in-Time Type Specialization for Dynamic Languages",
        "Abstract",
        "1. Introduction",
        "2. Overview: Example Tracing Run",
    ]
    text = " ".join(" ".join(element.text for element in found).split())
    assert_in_order(
        text,
        "more difficult to compile than statically typed",
        "client-side web programming and is used for the application logic of browser-based productivity",
        "the same types will occur in subsequent loop iterations",
    )


def test_vertical_japanese_is_read_from_right_to_left_with_lines_of_missing_fonts(corpus: Path) -> None:
    text = text_of(corpus / "pdf/jo.pdf")
    assert_in_order(text, "序", "わたくしといふ現象は", "これらは二十二箇月の", "すべてこれらの命題は", "大正十三年")


def test_arabic_is_in_base_letters_and_logical_order(corpus: Path) -> None:
    assert "وحل المشكلات من خلال البرمجة" in text_of(corpus / "pdf/right_to_left_01.pdf")
    assert "انواع الخطوط العربية" in text_of(corpus / "pdf/ArabicCIDTrueType.pdf")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("2206.01062_pg3.pdf", "needs a password"),
        ("aes-256-r6.pdf", "needs a password"),
        ("Brotli-Prototype-FileA.pdf", "Brotli"),
        ("poppler-395-0-fuzzed.pdf", "damaged or truncated"),
    ],
)
def test_the_reason_of_a_refusal_is_the_true_one(corpus: Path, name: str, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        read(corpus / "pdf_hostile" / name)


@pytest.mark.slow
def test_memory_does_not_grow_with_pages(corpus: Path, tmp_path: Path) -> None:
    from pypdfium2 import PdfDocument

    once, many = corpus / "pdf/pdf2image-memory-error-test-400p.pdf", tmp_path / "five-times.pdf"
    with PdfDocument.new() as target, PdfDocument(once) as source:
        for _ in range(5):
            target.import_pages(source)
        target.save(many)
    # The file's table of objects is five times as long, which is 4 MB. Pages kept in memory would be 50 MB.
    assert _peak_kb(many) <= _peak_kb(once) + 10_000


def _peak_kb(path: Path) -> int:
    code = (
        "import sys; from pathlib import Path\n"
        "from ingest_assets.parsers import contract; from ingest_assets.parsers.pdf import parser\n"
        "for part in parser.read(Path(sys.argv[1]), limits=contract.Limits()): pass\n"
        "print(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])"  # getrusage's is inherited
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    return int(done.stdout)
