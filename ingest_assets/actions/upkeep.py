"""Validate, repair and optimize a project's store, and change its embedding model.

The command line and Dagster's jobs call these; the work itself is in the stages of the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass

from ingest_assets.config.settings import Settings
from ingest_assets.errors import ConfigError, OutsideError
from ingest_assets.fingerprints import fingerprint_of
from ingest_assets.ledger_records import FileRecord, Origin
from ingest_assets.project import Project
from ingest_assets.records import Caption
from ingest_assets.stages.upkeep.change_model import BuildPass, Built, build_beside, build_until_done, sum_up
from ingest_assets.stages.upkeep.optimize import Duplicates, Optimized, caption_lines, optimize_all
from ingest_assets.stages.upkeep.repair import Repair, repair_all
from ingest_assets.stages.upkeep.validate import Examined, validate
from ingest_assets.wiring import model_space, model_space_before, next_settings, open_embedder, open_store, store_owner


def validate_store(project: Project, *, busy: Collection[str] = ()) -> Iterator[Examined]:
    """Compare ledger, artifacts and store; change nothing. Files in `busy` are being published."""
    return validate(project.store, kept=project.kept_chunks, model=project.embedder.model, busy=busy)


def repair_store(project: Project, *, apply: bool, busy: Collection[str] = ()) -> Iterator[Repair]:
    """Repair each file that disagrees, or, without `apply`, say what would; files in `busy` are being ingested."""
    return repair_all(
        validate_store(project, busy=busy),
        apply=apply,
        store=project.store,
        kept=project.kept_chunks,
        forget=lambda record: project.artifacts.forget("chunks", record.file_id),
        embedder=lambda: project.embedder,
        busy=busy,
    )


def optimize_store(project: Project, *, duplicates: Duplicates, busy: Collection[str] = ()) -> Iterator[Optimized]:
    """Remove duplicates, complete metadata, set flags; files in `busy` are being ingested and stay as they are."""
    return optimize_all(
        validate_store(project, busy=busy),
        duplicates=duplicates,
        store=project.store,
        kept=project.kept_chunks,
        captions=lambda record: _caption_lines(project, record),
        embedder=project.embedder,
        busy=busy,
    )


def _caption_lines(project: Project, record: FileRecord) -> set[str] | None:
    """Return the lines that stand in the file's text for pictures; None where they are not known."""
    if record.origin is Origin.CLIENT:
        return set()
    try:
        return caption_lines(project.artifacts.read("image_captions", record.file_id, Caption))
    except OutsideError:
        return None


@dataclass(frozen=True, slots=True)
class ModelChange:
    """What searches use after a change of model."""

    model: str
    files: int
    chunks: int


def change_model(settings: Settings, *, drop_old: bool, show: Callable[[Built], None]) -> ModelChange:
    """Build the next model's vectors beside the current ones, switch, and copy what was published meanwhile.

    Raises:
        ConfigError: there is no next model, or it is the current one.
        OutsideError: files change faster than they are built.
    """
    following = next_settings(settings)
    if following is None:
        raise ConfigError("INGEST_NEXT_MODEL_DIR names no folder: name the model there to change to")
    project, space = Project(settings), model_space(following)
    if space == model_space(settings):
        raise ConfigError("INGEST_NEXT_MODEL_DIR names the model of INGEST_MODEL_DIR; name the new one")
    is_switched = project.space == space
    before = Project(settings, space=model_space_before(settings)) if is_switched else project
    embedder, new = open_embedder(following), open_store(following, space=space)
    new.prepare(store_owner(settings, project.bucket))

    def fingerprint(record: FileRecord) -> str:
        """Keep a file up to date under the new model if it was under the old one."""
        is_current = record.fingerprint == before.current_fingerprint(record)
        return fingerprint_of(following, record) if is_current else ""

    with closing(before.store) as old, closing(new):

        def one_pass(*, in_use: bool) -> BuildPass:
            kept = before.kept_chunks
            built = build_beside(old, new, kept=kept, embedder=embedder, fingerprint_of=fingerprint, in_use=in_use)
            return sum_up(built, show=show)

        if not is_switched:
            build_until_done(lambda: one_pass(in_use=False))
            old.switch(space)
        done = one_pass(in_use=True)  # what was published between the last pass and the switch
        if drop_old:
            old.drop()
    return ModelChange(embedder.model, files=done.files, chunks=done.chunks)
