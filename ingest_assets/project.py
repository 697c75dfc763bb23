"""Open the parts of a project (bucket, artifacts, store, models) for one set of settings, each when it is first used.

This module does not import Dagster, so that commands that start no run do not wait for that import (1.5 s).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from functools import cached_property
from typing import TYPE_CHECKING

from ingest_assets.artifacts.folder import Artifacts
from ingest_assets.artifacts.history import History
from ingest_assets.buckets.contract import Bucket, changed
from ingest_assets.buckets.opening import open_bucket
from ingest_assets.config.settings import Settings
from ingest_assets.errors import BadInput, OutsideError
from ingest_assets.fingerprints import Fingerprints, fingerprint_of, fingerprints_of, limits_of
from ingest_assets.instance_tables import InstanceTables
from ingest_assets.ledger_records import Audit, FileRecord
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.detection.media_type import detect
from ingest_assets.parsers.families import count_pages, parser_for
from ingest_assets.records import Chunk, SourceFile
from ingest_assets.stages.planning.first_window import first_window
from ingest_assets.stages.publish import carrying
from ingest_assets.stages.receive import receive, require_fit
from ingest_assets.stores.contract import all_records
from ingest_assets.wiring import (
    ledger_name,
    open_artifacts,
    open_embedder,
    open_history,
    open_store,
    settings_of_space,
    store_owner,
)

if TYPE_CHECKING:
    from ingest_assets.index.bucket_looks import BucketLooks
    from ingest_assets.messaging.sqs import EventQueue
    from ingest_assets.noticing.looking import Noticing
    from ingest_assets.parsers.contract import Parser
    from ingest_assets.stages.embed import Embedder
    from ingest_assets.stores.contract import VectorStore
    from ingest_assets.stores.ownership import StoreOwner


class Project(InstanceTables):
    """The parts of one project: bucket, artifacts, store, models, opened when they are first used."""

    def __init__(self, settings: Settings, *, space: str | None = None, prepares: bool = True) -> None:
        """Take the settings, and a space of the store if it is not the one in use.

        With `prepares=False` the store is not prepared: tables of an earlier release are then a ConfigError, and a
        store of another bucket is not noticed.
        """
        super().__init__(settings)
        self._prepares = prepares
        self._given_space = space
        self._owner: StoreOwner | None = None
        self._audited: tuple[tuple[str, str], Audit] | None = None

    @cached_property
    def space(self) -> str:
        """The space of the store that is in use."""
        return self._first_space.current_space() if self._given_space is None else self._given_space

    @cached_property
    def _first_space(self) -> VectorStore:
        """The store in the first space. Mostly that is the space in use, so the store is opened once."""
        return open_store(self.settings)

    @cached_property
    def model_settings(self) -> Settings:
        """The settings, with the model that the space in use was built with."""
        return settings_of_space(self.settings, self.space)

    def follow_model_change(self) -> None:
        """Follow a change of model, in a process that lives longer than a run."""
        if "store" in self.__dict__ and self.store.current_space() != self.space:
            self.store.close()
            for name in ("space", "_first_space", "model_settings", "store", "embedder", "noticing"):
                self.__dict__.pop(name, None)

    @cached_property
    def bucket(self) -> Bucket:
        """Where files arrive."""
        return open_bucket(self.settings)

    def close(self) -> None:
        """Close the connections and files of store and index database; the next use opens them again."""
        if "store" in self.__dict__:
            self.store.close()
        if "database" in self.__dict__:
            self.database.close()

    def release(self) -> None:
        """Remove the copies of objects that this process has read; they are made again if they are needed."""
        if "bucket" in self.__dict__:
            self.bucket.release()

    @property
    def settle_s(self) -> float:
        """Seconds that a file must rest before a run is started for it; 0 where the bucket shows whole files only."""
        return 0.0 if self.bucket.is_whole_when_seen else self.settings.settle_s

    @cached_property
    def artifacts(self) -> Artifacts:
        """The stages' results."""
        return open_artifacts(self.settings)

    @cached_property
    def store(self) -> VectorStore:
        """The team's vector store.

        Raises:
            ConfigError: it holds another bucket's files.
        """
        store = self._unprepared_store()
        if not self._prepares:
            return store
        owner = store_owner(self.settings, self.bucket)
        store.prepare(owner)
        self._owner = owner
        from ingest_assets.index.indexed_store import indexed

        if not self.index.built_for() and not store.files(limit=1):
            self.index.rebuild((), ledger=self.ledger_name, again=store.file)
        return indexed(store, self.index)

    @cached_property
    def looks(self) -> BucketLooks:
        """What merges looks at the bucket into the index."""
        from ingest_assets.index.bucket_looks import BucketLooks

        return BucketLooks(self.database, settle_s=self.settle_s, listeners=self.index.listeners)

    @cached_property
    def event_queue(self) -> EventQueue | None:
        """The queue that the bucket's events arrive in; None if the settings name none."""
        from ingest_assets.messaging.opening import open_event_queue

        return open_event_queue(self.settings, inbox=self.inbox)

    @cached_property
    def noticing(self) -> Noticing:
        """What looks at the bucket."""
        from ingest_assets.noticing.looking import Noticing

        return Noticing(
            self.bucket,
            store=self.store,
            index=self.index,
            looks=self.looks,
            listing=self.listing,
            inbox=self.inbox,
            pending=self.pending,
            mark_bucket=self.mark_bucket if self._prepares else lambda: None,
        )

    @property
    def ledger_name(self) -> str:
        """Name the ledger that the index is made from: the store's place and the space in use."""
        return ledger_name(self.settings, self.space)

    def is_index_built(self) -> bool:
        """Tell whether the index was made from this ledger."""
        _ = self.store  # an empty one needs no making
        return self.index.built_for() == self.ledger_name

    def is_index_of_this_store(self) -> bool:
        """Tell whether the index was made from this store, whichever space is in use; the store is not opened."""
        return self.index.built_for().startswith(ledger_name(self.settings, ""))

    def rebuild_index(self) -> int:
        """Make the index again from the store; return how many rows differed."""
        return self.index.rebuild(all_records(self.store), ledger=self.ledger_name, again=self.store.file)

    def mark_bucket(self) -> None:
        """Make the bucket if it is not there, mark it, and have the store know the mark.

        Raises:
            ConfigError: the store knows another mark, so this is another bucket, such as an empty mount point that
                files were put into.
        """
        _ = self.store  # refuses another bucket before anything is made
        self.bucket.prepare()
        self.follow_bucket()

    def follow_bucket(self) -> None:
        """Follow a bucket that was marked, mounted or moved after the store was opened.

        Raises:
            ConfigError: another bucket is there now.
        """
        store, owner = self.store, store_owner(self.settings, self.bucket)
        if owner != self._owner:
            store.prepare(owner)
            self._owner = owner

    def require_known_bucket(self) -> None:
        """Refuse a bucket without a mark that holds nothing of what the store has: marked, it would empty the store.

        Raises:
            OutsideError: the bucket is such a one, or is not there.
        """
        from ingest_assets.noticing.looking import UNKNOWN_BUCKET
        from ingest_assets.noticing.recognition import Recognition

        if not self.is_index_built():
            self.rebuild_index()
        # The first bucket is made after this: it is not there, and a store without files has none to lose.
        if self.index.is_empty() or self.bucket.identity():
            return
        if not Recognition(self.bucket, self.index).is_known(until=None):
            raise OutsideError(UNKNOWN_BUCKET)

    def take_over_store(self) -> None:
        """Record this bucket as the store's owner, also if another bucket was recorded."""
        with closing(self._unprepared_store()) as store:
            store.prepare(store_owner(self.settings, self.bucket), take_over=True)

    def _unprepared_store(self) -> VectorStore:
        if not self.space:
            return self._first_space
        self._first_space.close()
        return open_store(self.model_settings, space=self.space)

    @cached_property
    def embedder(self) -> Embedder:
        """The embedding model."""
        return open_embedder(self.model_settings)

    @cached_property
    def history(self) -> History:
        """How much memory earlier files needed."""
        return open_history(self.settings)

    def first_window(self, source: SourceFile, *, cap_mb: int) -> int:
        """Choose the window for a file by how much memory similar files needed."""
        history, largest = self.history.of(source.media_type), self.settings.window_parts
        if not history:
            return largest
        with self.bucket.local(source.key) as path, suppress(BadInput):
            pages = count_pages(self.parser(source), path, limits=self.limits)
            return first_window(
                history,
                media_type=source.media_type,
                size_bytes=source.size_bytes,
                pages=pages,
                cap_mb=cap_mb,
                largest=largest,
            )
        return largest

    @property
    def limits(self) -> Limits:
        """Limits on what is read from one file."""
        return limits_of(self.settings)

    def kept_chunks(self, record: FileRecord) -> Iterator[Chunk] | None:
        """Open the chunks that a record was published from; None if other chunks or none are kept.

        Reading them raises OutsideError if they are damaged.
        """
        manifest = self.artifacts.manifest("chunks", record.file_id)
        if manifest is None or not record.chunks_digest or manifest.digest != record.chunks_digest:
            return None
        return carrying(self.artifacts.read("chunks", record.file_id, Chunk).untouched(), record)

    def audit(self, file_id: str, *, run_id: str) -> Audit:
        """Count a file's rows, once per run, even if several of its checks ask."""
        if self._audited is None or self._audited[0] != (file_id, run_id):
            self._audited = ((file_id, run_id), self.store.audit(file_id))
        return self._audited[1]

    def receive(self, key: str) -> SourceFile:
        """Name a file's owner, size, hash and media type.

        Raises:
            BadInput: the file is gone, empty or too large, or changed meanwhile.
        """
        max_bytes = self.settings.max_file_mb * 1_000_000
        seen = require_fit(key, self.bucket.stat(key), max_bytes=max_bytes)
        # A copy in the spool is of one version: the file's reference must name the same.
        with self.bucket.local(key, version=seen.version) as path:
            source = receive(
                key,
                path=path,
                stat=lambda: self.bucket.stat(key),
                detect=lambda: detect(path, filename=key.rsplit("/", 1)[-1]),
                max_bytes=max_bytes,
            )
        if source.version != seen.version:
            raise BadInput(changed(key))
        return source

    def parser(self, source: SourceFile) -> Parser:
        """Choose the parser for a file.

        Raises:
            BadInput: no parser reads this kind of file.
        """
        return parser_for(source.media_type, filename=source.filename)

    def fingerprints(self, source: SourceFile) -> Fingerprints:
        """Say what the results for a file depend on besides its bytes."""
        return fingerprints_of(self.model_settings, self.parser(source), media_type=source.media_type)

    def current_fingerprint(self, record: FileRecord) -> str:
        """Return the fingerprint that a file's record would have if it were ingested now."""
        return fingerprint_of(self.model_settings, record)

    def received(self, file_id: str) -> SourceFile:
        """Return the version of a file that was received last.

        Raises:
            OutsideError: there is none, or it is damaged.
        """
        (source,) = self.artifacts.read("raw_files", file_id, SourceFile)
        return source

    def source(self, file_id: str) -> SourceFile | None:
        """Return the version of a file that was received last; None before the first."""
        try:
            return self.received(file_id)
        except (OutsideError, BadInput, ValueError):
            return None
