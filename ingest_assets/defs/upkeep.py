"""A workshop in, what its store needs out: what disagrees, what mends it, what tidies it; one file after another."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ingest_assets.config.settings import Settings
from ingest_assets.defs.resources import Workshop
from ingest_assets.defs.seen_texts import SeenTexts
from ingest_assets.errors import ConfigError, OutsideError
from ingest_assets.ledger_records import FileRecord, Origin
from ingest_assets.records import Caption
from ingest_assets.stages.change_model import Built, build_beside
from ingest_assets.stages.optimize import Duplicates, Seen, Tidied, optimize
from ingest_assets.stages.repair import Action, Repair, plan, repair
from ingest_assets.stages.validate import Examined, validate
from ingest_assets.stores.contract import VectorStore
from ingest_assets.wiring import (
    fingerprint_of,
    next_settings,
    open_embedder,
    open_store,
    owner_of,
    space_before,
    space_of,
)


def check(workshop: Workshop, *, busy: Collection[str] = ()) -> Iterator[Examined]:
    """Compare ledger, artifacts and store; change nothing. Files in `busy` are being published."""
    return validate(workshop.store, kept=workshop.kept_chunks, model=workshop.embedder.model, busy=busy)


def mend(workshop: Workshop, *, apply: bool, busy: Collection[str] = ()) -> Iterator[Repair]:
    """Say of each file what would mend it, or mend it; files in `busy` are left to those who publish them."""
    for examined in check(workshop, busy=busy):
        if not examined.findings:
            continue
        if not apply:
            yield plan(examined, kept=workshop.kept_chunks)
            continue
        try:
            yield _mend(workshop, examined, busy=busy)
        except OutsideError as error:
            yield Repair(examined.file_id, Action.LEAVE, len(examined.findings), reason=str(error))


def _mend(workshop: Workshop, examined: Examined, *, busy: Collection[str]) -> Repair:
    if examined.file_id in busy:
        raise OutsideError("it is being ingested; run it again when that has ended")
    return repair(
        examined,
        store=workshop.store,
        kept=workshop.kept_chunks,
        forget=lambda record: workshop.artifacts.forget("chunks", record.file_id),
        embedder=workshop.embedder,
    )


def tidy(workshop: Workshop, *, duplicates: Duplicates, busy: Collection[str] = ()) -> Iterator[Tidied]:
    """Remove duplicates, complete metadata, set flags; files in `busy` are left alone."""
    with _seen(duplicates) as seen:
        for examined in check(workshop, busy=busy):
            try:
                yield _tidy(workshop, examined, seen=seen, busy=busy)
            except OutsideError:
                yield Tidied(examined.file_id, needs_repair=True)


def _tidy(workshop: Workshop, examined: Examined, *, seen: Seen | None, busy: Collection[str]) -> Tidied:
    if examined.file_id in busy:
        raise OutsideError("it is being ingested")
    return optimize(
        examined,
        store=workshop.store,
        seen=seen,
        kept=workshop.kept_chunks,
        captions=lambda record: _captions(workshop, record),
        embedder=workshop.embedder,
    )


_PASSES = 20
"""Over all files, the first of which builds them; a bucket that is filled without a break would keep it from an end."""
_LINE_CHARS = 8
"""Shorter lines of a caption may stand in any text."""


@dataclass(frozen=True, slots=True)
class ModelChange:
    """What searches use after a change of model."""

    model: str
    files: int
    chunks: int


def change_model(settings: Settings, *, drop_old: bool, show: Callable[[Built], None]) -> ModelChange:
    """Build the next model's vectors beside today's, switch, and follow up what was published meanwhile.

    Raises:
        ConfigError: there is no next model, or it is today's.
        OutsideError: files change faster than they are built.
    """
    following = next_settings(settings)
    if following is None:
        raise ConfigError("INGEST_NEXT_MODEL_DIR names no folder: say there which model to change to")
    workshop, space = Workshop(settings), space_of(following)
    if space == space_of(settings):
        raise ConfigError("INGEST_NEXT_MODEL_DIR names the model of INGEST_MODEL_DIR; name the new one")
    switched = workshop.space == space
    before = Workshop(settings, space=space_before(settings)) if switched else workshop
    new = open_store(following, space=space)
    new.prepare(owner_of(settings))
    with closing(before.store) as old, closing(new):
        change = _Change(before, old, new, following, show=show)
        if not switched:
            change.build()
            old.switch(space)
        done = change.one_pass(in_use=True)  # what was published between the last look and the switch
        if drop_old:
            old.drop()
    return ModelChange(open_embedder(following).model, files=done.files, chunks=done.chunks)


class _Change:
    """The two spaces of a change of model."""

    def __init__(
        self,
        before: Workshop,
        old: VectorStore,
        new: VectorStore,
        following: Settings,
        *,
        show: Callable[[Built], None],
    ) -> None:
        self._before, self._old, self._new = before, old, new
        self._following, self._show = following, show
        self._embedder = open_embedder(following)

    def build(self) -> None:
        """Build until a pass finds nothing left to do."""
        for _ in range(_PASSES):
            if not self.one_pass(in_use=False).changed:
                return
        raise OutsideError(f"files changed during each of {_PASSES} passes; run it again at a quieter time")

    def one_pass(self, *, in_use: bool) -> _Pass:
        """Bring the new space up to date once."""
        done = _Pass()
        for built in build_beside(
            self._old,
            self._new,
            kept=self._before.kept_chunks,
            embedder=self._embedder,
            fingerprint_of=self._fingerprint,
            in_use=in_use,
        ):
            self._show(built)
            done.files += 1
            done.chunks += built.chunks
            done.changed += built.changed
        return done

    def _fingerprint(self, record: FileRecord) -> str:
        """Under the new model a file is up to date where it was so under the old one."""
        current = record.fingerprint == self._before.current_fingerprint(record)
        return fingerprint_of(self._following, record) if current else ""


@dataclass(slots=True)
class _Pass:
    files: int = 0
    chunks: int = 0
    changed: int = 0


def problems_of(found: Iterable[Examined]) -> tuple[int, int, Counter[str]]:
    """Count files, rows and problems by name."""
    files = rows = 0
    counts: Counter[str] = Counter()
    for examined in found:
        files, rows = files + 1, rows + examined.rows
        counts.update(finding.problem.value for finding in examined.findings)
    return files, rows, counts


@contextmanager
def _seen(duplicates: Duplicates) -> Iterator[Seen | None]:
    if duplicates is Duplicates.KEEP:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="seen-texts-") as folder, SeenTexts(Path(folder) / "seen") as texts:
        if duplicates is Duplicates.FILE:
            yield lambda record, text_sha256: texts.seen(record.file_id, text_sha256)
        else:
            yield lambda record, text_sha256: texts.seen(json.dumps([record.user_id, record.project_id]), text_sha256)


def _captions(workshop: Workshop, record: FileRecord) -> set[str] | None:
    """Return the lines that stand in the file's text for pictures; None where they cannot be told."""
    if record.origin is Origin.CLIENT:
        return set()
    try:
        rows = workshop.artifacts.read("image_captions", record.file_id, Caption)
        texts = [text for row in rows for text in (row.caption, row.text)]
    except OutsideError:
        return None
    return {line.strip() for text in texts for line in text.splitlines() if len(line.strip()) >= _LINE_CHARS}
