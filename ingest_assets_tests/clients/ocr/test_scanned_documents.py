"""A document with typed and scanned pages goes through parser, captioner and chunker."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from pypdfium2 import PdfDocument

from ingest_assets.clients.ocr.rapidocr_captioner import RapidOcrCaptioner
from ingest_assets.parsers.pdf import parser as pdf
from ingest_assets.records import Chunk
from ingest_assets.stages.caption import caption
from ingest_assets.stages.chunking.chunk import ChunkSizes, chunk
from ingest_assets.stages.parse import parse
from ingest_assets_tests.parsers.pdf.graphics.test_scans import scanned
from ingest_assets_tests.parsers.pdf.pdf_files import LIMITS, PROSE, SECOND, Page, column, write

pytestmark = pytest.mark.slow

SHEETS = [[f"Sheet {sheet}, entry {row}: the sea was calm and grey" for row in range(10, 18)] for sheet in range(3)]


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """A typed page between sheets that lay on the scanner upright, on their head and on their side."""
    typed = write(tmp_path / "typed.pdf", [Page((*column(PROSE, x=60), *column(SECOND, x=60, top=500)))])
    whole = tmp_path / "whole.pdf"
    with PdfDocument.new() as target:
        for number, turned in ((0, 0), (1, 180), (None, 0), (2, 90)):
            data = io.BytesIO(typed.read_bytes())
            if number is not None:
                data = io.BytesIO()
                scanned(SHEETS[number], turned=turned).save(data, "PDF", resolution=150)
            with PdfDocument(data) as source:
                target.import_pages(source)
        target.save(whole)
    return whole


def chunks_of(path: Path) -> list[Chunk]:
    kept: dict[str, bytes] = {}
    parts = list(parse(path, parser=pdf, limits=LIMITS, keep=kept.__setitem__))
    pictures = [picture for part in parts for picture in part.pictures]
    with RapidOcrCaptioner() as captioner:
        captions = {row.picture: row for row in caption(pictures, load=kept.__getitem__, captioner=captioner)}
    assert not any(row.is_doubtful or row.problem for row in captions.values())
    sizes = ChunkSizes(max_words=90, min_words=30, overlap_words=0)
    return list(chunk(parts, file_id="whole.pdf", captions=captions, sizes=sizes))


def test_each_page_s_text_stands_in_its_place_with_its_number(document: Path) -> None:
    chunks = chunks_of(document)
    text = " ".join(" ".join(one.text.split()) for one in chunks)
    sheets = [" ".join(lines) for lines in SHEETS]
    places = [text.find(phrase) for phrase in (sheets[0], sheets[1], f"{PROSE} 00", f"{SECOND} 11", sheets[2])]
    assert -1 not in places
    assert places == sorted(places)
    assert [one.pages for one in chunks if "Sheet 2" in one.text][-1] == (4,)
