"""A workshop in, what its store needs out: what disagrees, what mends it, what tidies it; one file after another."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ingest_assets.defs.resources import Workshop
from ingest_assets.errors import ConfigError, OutsideError
from ingest_assets.records import Caption
from ingest_assets.seen_texts import SeenTexts
from ingest_assets.settings import Settings
from ingest_assets.stages.change_model import Built, build_beside
from ingest_assets.stages.optimize import Duplicates, Seen, Tidied, optimize
from ingest_assets.stages.repair import Action, Repair, plan, repair
from ingest_assets.stages.validate import Examined, validate
from ingest_assets.stored import FileRecord
from ingest_assets.wiring import fingerprint_of, next_settings, open_embedder, open_store, space_of


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


@dataclass(frozen=True, slots=True)
class ModelChange:
    """What searches use after a change of model."""

    model: str
    files: int
    chunks: int


def change_model(settings: Settings, *, drop_old: bool, show: Callable[[Built], None]) -> ModelChange:
    """Build the next model's vectors beside today's, switch, and follow up what was published meanwhile.

    Raises:
        ConfigError: there is no next model, or it is the one in use.
    """
    workshop, following = Workshop(settings), next_settings(settings)
    if following is None:
        raise ConfigError("INGEST_NEXT_MODEL_DIR names no folder: say there which model to change to")
    space = space_of(following)
    if space == workshop.space:
        raise ConfigError("INGEST_NEXT_MODEL_DIR names the model in use; move it to INGEST_MODEL_DIR")
    old, new = workshop.store, open_store(following, space=space)
    embedder = open_embedder(following)
    new.prepare()

    def fingerprint(record: FileRecord) -> str:
        """Under the new model it is up to date where it was so under the old one."""
        current = record.fingerprint == workshop.current_fingerprint(record)
        return fingerprint_of(following, record) if current else ""

    def one_pass() -> list[Built]:
        passed = []
        for built in build_beside(old, new, kept=workshop.kept_chunks, embedder=embedder, fingerprint_of=fingerprint):
            show(built)
            passed.append(built)
        return passed

    while any(built.changed for built in one_pass()):
        pass
    old.switch(space)
    built = one_pass()  # what was published between the last look and the switch
    if drop_old:
        old.drop()
    old.close()
    new.close()
    return ModelChange(embedder.model, files=len(built), chunks=sum(each.chunks for each in built))


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
