"""Test that figures of runs add up, also from several processes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from ingest_assets.index.database import Database
from ingest_assets.index.run_figures import FigureRow, RunFigure, RunFigures
from ingest_assets.ledger_records import StageCost
from ingest_assets_tests.index.files import record


def test_stages_add_up_and_keep_their_highest_memory(database: Database) -> None:
    figures = RunFigures(database)
    for seconds, peak_mb in ((1.0, 300.0), (3.0, 200.0)):
        figures.add_stage(StageCost("chunks", seconds, peak_mb), media_type="text/markdown")
    assert figures.rows() == [
        FigureRow(RunFigure.STAGE_PEAK_MB, "chunks", "text/markdown", 500.0, 2, 300.0),
        FigureRow(RunFigure.STAGE_SECONDS, "chunks", "text/markdown", 4.0, 2, 3.0),
    ]


def test_a_publication_counts_its_pages_and_chunks(database: Database) -> None:
    figures = RunFigures(database)
    figures.add_publication(
        record("a.pdf", media_type="application/pdf", pages=9, pages_by_ocr=2, embedded=5, reused=3)
    )
    figures.add_end("failed", media_type="application/pdf")
    assert {(row.figure.value, row.label): row.total for row in figures.rows()} == {
        ("chunks", "embedded"): 5,
        ("chunks", "reused"): 3,
        ("pages", ""): 9,
        ("pages", "ocr"): 2,
        ("runs", "failed"): 1,
        ("runs", "succeeded"): 1,
    }


def test_runs_that_end_at_one_moment_are_all_counted(database: Database) -> None:
    figures = RunFigures(database)
    figures.rows()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: figures.add_publication(record("a.md", embedded=1)), range(20)))
    assert {row.total for row in figures.rows()} == {20}
