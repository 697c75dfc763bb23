"""Open an earlier system and this project's store, and move one into the other.

The steps are the same for every system: gather its rows by document (`staging.py`), then adopt each document
(`adopt.py`). Without `apply` nothing is written, neither there nor here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ingest_assets.adoption.adopt import Adopted, MeasuringEmbedder, adopt
from ingest_assets.adoption.chroma import ChromaSource
from ingest_assets.adoption.fields import FieldNames, document_name
from ingest_assets.adoption.found import FoundRow, Source
from ingest_assets.adoption.llamaindex import LlamaIndexSource
from ingest_assets.adoption.mongodb import MongoSource, is_same_place
from ingest_assets.adoption.queue import FileQueue, half_read, put_unread, read_queue, without_rows
from ingest_assets.adoption.staging import StagedDocument, Staging, staging
from ingest_assets.config.settings import Settings
from ingest_assets.errors import ConfigError
from ingest_assets.ledger_records import Scope, utc_text
from ingest_assets.project import Project
from ingest_assets.stores.chroma.collections import ChromaPlace
from ingest_assets.wiring import without_password

if TYPE_CHECKING:
    from ingest_assets.stores.contract import StoreEditing

KINDS = ("mongodb", "queue", "llamaindex", "chat")


@dataclass(frozen=True, slots=True, kw_only=True)
class MovingIn:
    """What to move in, and how."""

    kind: str
    """One of KINDS."""
    location: str = ""
    """A folder or URL; empty: where the settings say, for mongodb and llamaindex."""
    user_id: str = ""
    """For rows that name no user."""
    project_id: str = ""
    only: tuple[str, ...] = ()
    """Collections or tables; empty: all."""
    files: Path | None = None
    """The folder that holds the files of the queue now."""
    apply: bool = False


def move_in(wanted: MovingIn, *, settings: Settings, names: FieldNames) -> Iterator[Adopted]:
    """Adopt every document of an earlier system, or say what would become of it; `names` gathers the fields read.

    Raises:
        ConfigError: there is no such system, it is not at this place, or the store cannot be used.
        OutsideError: a server is away; run it again, and it goes on.
    """
    if wanted.kind not in KINDS:
        raise ConfigError(
            f"--from {wanted.kind}: write one of {', '.join(KINDS)}, with a colon and the place behind it"
        )
    with staging(settings.home / "adoption") as staged:
        if wanted.kind == "queue":
            yield from _queue(wanted, staged, settings=settings, names=names)
            return
        source = _source(wanted, settings=settings, names=names)
        is_in_the_way = isinstance(source, MongoSource) and _is_in_the_way(source, wanted, settings)
        if isinstance(source, MongoSource) and is_in_the_way and wanted.apply:
            source.set_aside()
        staged.add(source.found(), user_id=wanted.user_id, project_id=wanted.project_id)
        with _opened(settings, apply=wanted.apply, is_new=is_in_the_way) as (project, store):
            yield from adopt(staged, store=store, embedder=_embedder(project), apply=wanted.apply, now=utc_text)


def _queue(wanted: MovingIn, staged: Staging, *, settings: Settings, names: FieldNames) -> Iterator[Adopted]:
    if not (wanted.user_id and wanted.project_id):
        raise ConfigError("--from queue: the queue knows no owners; give --user and --project")
    scope, queue = Scope(wanted.user_id, wanted.project_id), read_queue(Path(_place(wanted)))
    if queue.chroma:
        source = ChromaSource(
            queue.chroma, names=names, work=settings.home / "adoption", place=ChromaPlace(), only=wanted.only
        )
        staged.add(_named(source.found(), queue), user_id=scope.user_id, project_id=scope.project_id)
    unread = half_read(queue)

    def passed_over(document: StagedDocument) -> str:
        return "its file is read anew, or failed in the queue" if document.name in unread else ""

    with _opened(settings, apply=wanted.apply, is_new=False) as (project, store):
        yield from put_unread(queue, files=wanted.files, bucket=project.bucket, scope=scope, apply=wanted.apply)
        yield from without_rows(queue, staged.documents(), scope=scope)
        yield from adopt(
            staged,
            store=store,
            embedder=_embedder(project),
            apply=wanted.apply,
            now=utc_text,
            passed_over=passed_over,
        )


def _named(rows: Iterable[FoundRow], queue: FileQueue) -> Iterator[FoundRow]:
    """Name documents as the queue's files are named: without the folder that all of them share."""
    root = document_name(queue.root)
    for row in rows:
        yield replace(row, name=row.name.removeprefix(f"{root}/")) if root else row


def _source(wanted: MovingIn, *, settings: Settings, names: FieldNames) -> Source:
    if wanted.kind == "mongodb":
        uri = wanted.location or settings.mongo_uri
        if not uri:
            raise ConfigError("--from mongodb: write mongodb:URI, or set MONGO_URI")
        return MongoSource(uri, database=settings.mongo_db, names=names)
    if wanted.kind == "llamaindex":
        url = wanted.location or settings.pgvector
        if not url:
            raise ConfigError("--from llamaindex: write llamaindex:postgresql://…, or set INGEST_PGVECTOR")
        return LlamaIndexSource(url, names=names, only=wanted.only)
    location, headers = without_password(_place(wanted))
    place = ChromaPlace(tenant=settings.chroma_tenant, database=settings.chroma_database, headers=headers)
    place = place if "://" in location else ChromaPlace()
    return ChromaSource(location, names=names, work=settings.home / "adoption", place=place, only=wanted.only)


def _place(wanted: MovingIn) -> str:
    if not wanted.location:
        raise ConfigError(f"--from {wanted.kind}: write {wanted.kind}:FOLDER")
    return wanted.location


def _is_in_the_way(source: MongoSource, wanted: MovingIn, settings: Settings) -> bool:
    """Tell whether the earlier system's collections have the names, and the place, of this project's."""
    return (
        settings.store == "atlas"
        and is_same_place(
            wanted.location or settings.mongo_uri,
            settings.mongo_db,
            other=settings.mongo_uri,
            other_database=settings.mongo_db,
        )
        and bool(source.to_set_aside())
    )


@contextmanager
def _opened(settings: Settings, *, apply: bool, is_new: bool) -> Iterator[tuple[Project, StoreEditing | None]]:
    """Open the store; without `apply` it is not made, and None stands for one that is not there."""
    project = Project(settings, prepares=apply)
    try:
        if apply and not project.store.files(limit=1):
            project.mark_bucket()
        yield project, project.store if apply else None if is_new else _store_as_it_is(project)
    finally:
        project.close()


def _store_as_it_is(project: Project) -> StoreEditing | None:
    settings = project.settings
    if settings.store == "chroma" and "://" not in settings.chroma:
        return project.store if (Path(settings.chroma) / "chroma.sqlite3").is_file() else None
    try:
        project.store.files(limit=1)
    except ConfigError:  # not prepared yet
        return None
    return project.store


def _embedder(project: Project) -> MeasuringEmbedder:
    # Every embedder of this project cuts texts into windows, so it can tell which fit into one.
    return cast("MeasuringEmbedder", project.embedder)


def counted(done: Sequence[Adopted]) -> dict[str, int]:
    """Count documents by step, chunks, vectors kept, texts to embed, and refused rows."""
    steps = {step: sum(1 for each in done if each.step == step) for step in dict.fromkeys(each.step for each in done)}
    return {
        **{step.name.lower(): number for step, number in steps.items()},
        "chunks": sum(each.chunks for each in done),
        "kept": sum(each.kept for each in done),
        "to_embed": sum(each.to_embed for each in done),
        "refused_rows": sum(each.refused_rows for each in done),
    }
