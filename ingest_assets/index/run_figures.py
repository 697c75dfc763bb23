"""Add up what the runs of files cost and how they ended, by media type, for graphs and alarms.

A run is a process of its own that is gone before anybody could ask it, so it adds its figures to rows beside the index;
the service shows their sums. A run that is killed between its publication and its figures is missing in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Column, Float, Table, Text, case, select

from ingest_assets.index.database import METADATA, Database
from ingest_assets.ledger_records import FileRecord, StageCost

UNCHANGED = "unchanged"
"""The outcome of a run that found the result in the store already."""


class RunFigure(StrEnum):
    """What is added up."""

    RUNS = "runs"
    """Runs that ended; the label is how."""
    STAGE_SECONDS = "stage_seconds"
    """What a stage took when it was run; the label is its asset."""
    STAGE_PEAK_MB = "stage_peak_mb"
    """The peak memory of a stage when it was run; the label is its asset."""
    PAGES = "pages"
    """Of published files; the label is empty, or `ocr` for pages that were read from their picture."""
    CHUNKS = "chunks"
    """Of published files; the label is `embedded` or `reused`."""


@dataclass(frozen=True, slots=True)
class FigureRow:
    """What was added up under one label for one media type."""

    figure: RunFigure
    label: str
    media_type: str
    total: float
    times: int
    """How often something was added."""
    highest: float
    """The largest that was added at once."""


_TABLE = Table(
    "ingest_run_figures",
    METADATA,
    Column("figure", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("media_type", Text, primary_key=True),
    Column("total", Float, nullable=False),
    Column("times", Float, nullable=False),
    Column("highest", Float, nullable=False),
)
_c = _TABLE.c


class RunFigures:
    """The figures of one project's runs."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    def add_stage(self, cost: StageCost, *, media_type: str) -> None:
        """Add a stage that was run."""
        self._add(
            [
                (RunFigure.STAGE_SECONDS, cost.stage, cost.seconds),
                (RunFigure.STAGE_PEAK_MB, cost.stage, cost.peak_memory_mb),
            ],
            media_type=media_type,
        )

    def add_publication(self, record: FileRecord) -> None:
        """Add a run that published a file."""
        added = [
            (RunFigure.RUNS, record.state.value, 1.0),
            (RunFigure.PAGES, "", record.pages),
            (RunFigure.PAGES, "ocr", record.pages_by_ocr),
            (RunFigure.CHUNKS, "embedded", record.embedded),
            (RunFigure.CHUNKS, "reused", record.reused),
        ]
        self._add([(figure, label, value) for figure, label, value in added if value], media_type=record.media_type)

    def add_end(self, outcome: str, *, media_type: str) -> None:
        """Add a run that published nothing: how it ended."""
        self._add([(RunFigure.RUNS, outcome, 1.0)], media_type=media_type)

    def rows(self) -> list[FigureRow]:
        """Return all that was added up.

        Raises:
            OutsideError: the database is away.
        """
        with self._database.begin(writes=False) as connection:
            found = connection.execute(select(_TABLE).order_by(_c.figure, _c.label, _c.media_type)).all()
        return [
            FigureRow(RunFigure(row.figure), row.label, row.media_type, row.total, int(row.times), row.highest)
            for row in found
        ]

    def _add(self, values: Sequence[tuple[RunFigure, str, float]], *, media_type: str) -> None:
        added = self._database.upsert(_TABLE)
        new = added.excluded
        statement = added.on_conflict_do_update(
            index_elements=[_c.figure, _c.label, _c.media_type],
            set_={
                "total": _c.total + new.total,
                "times": _c.times + new.times,
                "highest": case((new.highest > _c.highest, new.highest), else_=_c.highest),
            },
        )
        # Sorted: two runs that add to the same rows at once wait for each other in one order, and never in a circle.
        rows = [
            {
                "figure": figure.value,
                "label": label,
                "media_type": media_type,
                "total": float(value),
                "times": 1,
                "highest": float(value),
            }
            for figure, label, value in sorted(values)
        ]
        with self._database.begin() as connection:
            connection.execute(statement, rows)
