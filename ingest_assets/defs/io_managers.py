"""Store the rows of a document in Chroma, PostgreSQL or MongoDB, one partition a document, replaced as a whole.

These IO managers need nothing else of this project: an asset returns rows with a text and a vector. A search sees all
of a document's old rows or all of its new ones, also when the process is killed while it writes (`stores/contract.py`).

The project's own asset `embeddings` is stored by the same code. It returns a `StorableDocument`, an object that writes
itself to the store that the IO manager has opened (`file_publication.py`), because a file has more to store than rows.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import dagster as dg
from pydantic import Field, PrivateAttr

from ingest_assets.defs.assets.document_rows import DocumentRow, chunks_of_rows, record_of_document, row_of, unit_vector
from ingest_assets.errors import BadInput, ConfigError
from ingest_assets.file_ids import client_file_id
from ingest_assets.ledger_records import Hit, Scope, utc_text
from ingest_assets.stages.publish import publish
from ingest_assets.wiring import without_password

if TYPE_CHECKING:
    from ingest_assets.records import Vector
    from ingest_assets.stores.contract import VectorStore


@runtime_checkable
class StorableDocument(Protocol):
    """What an asset may return in place of rows: an object that writes itself to the store."""

    def publish(self, store: VectorStore, context: dg.OutputContext) -> Mapping[str, Any]:
        """Write to the store; return the materialisation's metadata."""
        ...


class VectorStoreIOManager(dg.ConfigurableIOManager):
    """Stores the rows of a document as one partition, replaced as a whole. Use one of its subclasses."""

    _store: Any = PrivateAttr(default=None)

    @abstractmethod
    def open_store(self) -> VectorStore:
        """Open the store and make it ready to be written."""

    @abstractmethod
    def file_id_of(self, asset_key: dg.AssetKey, document: str) -> str:
        """Return the name by which the store knows a document."""

    def storable(self, rows: Any, asset_key: dg.AssetKey, document: str) -> StorableDocument:
        """Turn the rows that an asset returned into an object that writes itself to the store."""
        raise BadInput(f"{document}: this IO manager stores Publications, not {type(rows).__name__}")

    @property
    def store(self) -> VectorStore:
        """The store, opened when it is first used and closed at the end of the run."""
        if self._store is None:
            self._store = self.open_store()
        store: VectorStore = self._store
        return store

    def close(self) -> None:
        """Close the store if it is open."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Close the store at the end of a run."""
        self.close()

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Make these rows the document's only ones, all at once."""
        publication = obj
        if not isinstance(obj, StorableDocument):
            publication = self.storable(obj, context.asset_key, _document(context))
        context.add_output_metadata(dict(publication.publish(self.store, context)))

    def load_input(self, context: dg.InputContext) -> Iterator[DocumentRow] | dict[str, Iterator[DocumentRow]]:
        """Yield a document's rows in order; for several partitions, return them by partition key."""
        if context.has_asset_partitions and len(context.asset_partition_keys) > 1:
            return {key: self.rows(context.asset_key, key) for key in context.asset_partition_keys}
        return self.rows(context.asset_key, _document(context))

    def rows(self, asset_key: dg.AssetKey, document: str) -> Iterator[DocumentRow]:
        """Yield a document's rows in order, a few hundred in memory at a time.

        Raises:
            Failure: the document is not in the store.
        """
        file_id = self.file_id_of(asset_key, document)
        if self.store.file(file_id) is None:
            name = asset_key.to_user_string()
            raise dg.Failure(f"{document}: not in the store yet; materialise {name} for it first", allow_retries=False)
        return (row_of(stored) for stored in self.store.rows(file_id) if stored.in_force)


class _RowsIOManager(VectorStoreIOManager):
    """Stores rows as documents of a user and a project of their own."""

    model: str = Field(
        description="Name of the model that made the vectors. A store holds the vectors of one model; rows of another "
        "are refused, because their scores cannot be compared."
    )
    user_id: str = Field(
        default="dagster", description="Owner of the documents. A search names an owner and a project."
    )
    project_id: str = Field(
        default="", description="Project of the documents. Empty: the name of the asset that returned them."
    )

    def scope(self, asset_key: dg.AssetKey | str) -> Scope:
        """Return the user and project under which an asset's documents are stored and searched."""
        key = dg.AssetKey.from_coercible(asset_key)
        return Scope(self.user_id, self.project_id or ".".join(key.path))

    def search(self, vector: Sequence[float] | Vector, *, k: int, asset: dg.AssetKey | str) -> list[Hit]:
        """Return the k chunks of an asset's documents that are nearest to a vector, best first, with their cosine."""
        return self.store.search(unit_vector(vector), k=k, scope=self.scope(asset))

    def file_id_of(self, asset_key: dg.AssetKey, document: str) -> str:
        """Return the document's name with its owner and project."""
        scope = self.scope(asset_key)
        return client_file_id(scope.user_id, scope.project_id, document)

    def storable(self, rows: Any, asset_key: dg.AssetKey, document: str) -> StorableDocument:
        """Return an object that writes these rows to the store."""
        if not isinstance(rows, Iterable) or isinstance(rows, str | bytes | Mapping):
            raise BadInput(f"{document}: an iterable of rows is needed, not {type(rows).__name__}")
        return _RowsPublication(rows, scope=self.scope(asset_key), document=document, model=self.model)


class _RowsPublication:
    """The rows of one document."""

    def __init__(self, rows: Iterable[Any], *, scope: Scope, document: str, model: str) -> None:
        self._rows, self._scope, self._document, self._model = rows, scope, document, model

    def publish(self, store: VectorStore, context: dg.OutputContext) -> Mapping[str, Any]:
        """Replace the document's rows by these."""
        record = record_of_document(self._scope, self._document, updated_at=utc_text())
        kept = publish(record, chunks_of_rows(self._rows, file_id=record.file_id, model=self._model), store=store)
        return {
            "document": self._document,
            "rows": kept.chunks,
            "generation": kept.generation,
            "model": kept.model,
            "dimension": kept.dimension,
        }


class ChromaIOManager(_RowsIOManager):
    """Stores documents in Chroma, embedded in a folder or on a server.

    An asset returns an iterable of rows: mappings or objects with `text` and `vector`, and if they are known `id`,
    `page` or `pages`, and `section`. A partition is a document; materialising it again replaces all its rows at once.
    A downstream asset gets an iterator of `DocumentRow`.

    Example:
        .. code-block:: python

            import dagster as dg
            from ingest_assets.defs.io_managers import ChromaIOManager

            pages = dg.StaticPartitionsDefinition(["tides", "geese"])

            @dg.asset(partitions_def=pages, io_manager_key="vectors")
            def notes(context: dg.AssetExecutionContext) -> list[dict]:
                return [{"text": f"About {context.partition_key}.", "vector": [0.6, 0.8], "page": 1}]

            defs = dg.Definitions(
                assets=[notes],
                resources={"vectors": ChromaIOManager(location="chroma", model="my-model")},
            )
    """

    location: str = Field(description="A folder, or http://HOST:PORT of a Chroma server.")
    tenant: str = Field(default="default_tenant", description="Tenant on a Chroma server.")
    database: str = Field(default="default_database", description="Database on a Chroma server.")

    def open_store(self) -> VectorStore:
        """Open the folder or the server."""
        from ingest_assets.stores.chroma.store import ChromaStore

        location, headers = without_password(self.location)
        return _prepared(ChromaStore(location, tenant=self.tenant, database=self.database, headers=headers))


class PGVectorIOManager(_RowsIOManager):
    """Stores documents in PostgreSQL with the extension pgvector.

    Rows, partitions and what a downstream asset gets are those of `ChromaIOManager`.

    Example:
        .. code-block:: python

            import dagster as dg
            from ingest_assets.defs.io_managers import PGVectorIOManager

            @dg.asset(partitions_def=dg.StaticPartitionsDefinition(["tides"]), io_manager_key="vectors")
            def notes() -> list[dict]:
                return [{"text": "High tide is at noon.", "vector": [0.6, 0.8]}]

            defs = dg.Definitions(
                assets=[notes],
                resources={
                    "vectors": PGVectorIOManager(url=dg.EnvVar("DATABASE_URL"), dimension=2, model="my-model"),
                },
            )
    """

    url: str = Field(
        description="postgresql://USER:PASSWORD@HOST:PORT/DATABASE. Give it as dg.EnvVar(NAME): then Dagster shows and "
        "keeps the name, and not the password."
    )
    dimension: int = Field(gt=0, description="Length of the vectors; a table has columns of one length.")
    halfvec: bool = Field(default=False, description="Keep 16 bits a number in place of 32: half the space.")

    def open_store(self) -> VectorStore:
        """Open the database."""
        from ingest_assets.stores.pgvector.store import PgVectorStore

        return _prepared(PgVectorStore(self.url, dimension=self.dimension, halfvec=self.halfvec))


class AtlasIOManager(_RowsIOManager):
    """Stores documents in MongoDB Atlas, or in any MongoDB.

    Rows, partitions and what a downstream asset gets are those of `ChromaIOManager`.

    Example:
        .. code-block:: python

            import dagster as dg
            from ingest_assets.defs.io_managers import AtlasIOManager

            @dg.asset(partitions_def=dg.StaticPartitionsDefinition(["tides"]), io_manager_key="vectors")
            def notes() -> list[dict]:
                return [{"text": "High tide is at noon.", "vector": [0.6, 0.8]}]

            defs = dg.Definitions(
                assets=[notes],
                resources={"vectors": AtlasIOManager(uri=dg.EnvVar("MONGO_URI"), dimension=2, model="my-model")},
            )
    """

    uri: str = Field(
        description="mongodb:// or mongodb+srv:// URI. Give it as dg.EnvVar(NAME): Dagster shows and keeps the name "
        "then, and not the password."
    )
    database: str = Field(default="studybuddy", description="Database; its collections are `chunks` and `files`.")
    dimension: int = Field(gt=0, description="Length of the vectors.")
    vector_search: bool = Field(
        default=False,
        description="Search with an index of Atlas Vector Search. Without it every vector of the scope is compared, "
        "which any MongoDB can do.",
    )

    def open_store(self) -> VectorStore:
        """Open the database."""
        from ingest_assets.stores.atlas.store import AtlasStore

        store = AtlasStore(self.uri, database=self.database, dimension=self.dimension, vector_search=self.vector_search)
        return _prepared(store)


def _prepared(store: VectorStore) -> VectorStore:
    store.prepare()
    return store


def _document(context: dg.OutputContext | dg.InputContext) -> str:
    """Return the partition's key, or the asset's name where it has no partitions."""
    if not context.has_asset_partitions:
        return ".".join(context.asset_key.path)
    keys = context.asset_partition_keys
    if len(keys) != 1:
        raise ConfigError(f"{len(keys)} partitions in one run: a partition is one document; run them one by one")
    return keys[0]
