"""A workshop in, what its store needs out: what disagrees, what mends it, what tidies it; one file after another."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest_assets.defs.resources import Workshop
from ingest_assets.errors import OutsideError
from ingest_assets.records import Caption
from ingest_assets.seen_texts import SeenTexts
from ingest_assets.stages.optimize import Duplicates, Seen, Tidied, optimize
from ingest_assets.stages.repair import Action, Repair, plan, repair
from ingest_assets.stages.validate import Examined, validate
from ingest_assets.stored import FileRecord


def check(workshop: Workshop) -> Iterator[Examined]:
    """Compare ledger, artifacts and store; change nothing."""
    return validate(workshop.store, kept=workshop.kept_chunks)


def mend(workshop: Workshop, *, apply: bool) -> Iterator[Repair]:
    """Say of each file what would mend it, or mend it."""
    for examined in check(workshop):
        if not examined.findings:
            continue
        if apply:
            yield repair(examined, store=workshop.store, kept=workshop.kept_chunks, embedder=workshop.embedder)
        else:
            yield plan(examined, kept=workshop.kept_chunks)


def tidy(workshop: Workshop, *, duplicates: Duplicates) -> Iterator[Tidied]:
    """Remove duplicates, complete metadata, set flags."""
    with _seen(duplicates) as seen:
        for examined in check(workshop):
            yield optimize(
                examined,
                store=workshop.store,
                seen=seen,
                kept=workshop.kept_chunks,
                captions=lambda record: _captions(workshop, record),
                embedder=workshop.embedder,
            )


def problems_of(found: Iterable[Examined]) -> tuple[int, int, Counter[str]]:
    """Count files, rows and problems by name."""
    files = rows = 0
    counts: Counter[str] = Counter()
    for examined in found:
        files, rows = files + 1, rows + examined.rows
        counts.update(finding.problem.value for finding in examined.findings)
    return files, rows, counts


def is_mended(repaired: Repair) -> bool:
    """Whether nothing is left to do for a file once this was done."""
    return repaired.action is not Action.READ_AGAIN


@contextmanager
def _seen(duplicates: Duplicates) -> Iterator[Seen | None]:
    if duplicates is Duplicates.KEEP:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="seen-texts-") as folder, SeenTexts(Path(folder) / "seen") as texts:
        if duplicates is Duplicates.FILE:
            yield lambda record, text_sha256: texts.seen(record.file_id, text_sha256)
        else:
            yield lambda record, text_sha256: texts.seen(f"{record.user_id}\n{record.project_id}", text_sha256)


def _captions(workshop: Workshop, record: FileRecord) -> set[str]:
    try:
        rows = workshop.artifacts.read("image_captions", record.file_id, Caption)
        return {row.caption for row in rows if row.caption}
    except OutsideError:
        return set()
