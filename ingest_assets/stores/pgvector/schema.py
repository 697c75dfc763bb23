"""Create and upgrade the tables and indexes in PostgreSQL, by numbered steps that are each done once.

A step is recorded in `ingest_migrations` in the transaction that does it, so an interrupted `prepare` leaves only
whole steps. Steps are never changed once released; a new need gets a new number.

Rows of `chunks` are laid out to change place cheaply, since a paragraph inserted at the front of a document moves all
the others. The vector and the text lie in the TOAST table (`toast_tuple_target`), half of each page is left free
(`fillfactor`), and no index holds a column that says where in its document a chunk is. Then PostgreSQL writes the moved
row beside the old one and touches no index (a "heap-only tuple"), above all not HNSW, where each entry costs a
millisecond.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingest_assets.errors import ConfigError
from ingest_assets.stores.ownership import StoreOwner, foreign, owner_to_record
from ingest_assets.stores.pgvector.errors import another_length
from ingest_assets.stores.pgvector.tables import Tables, lock_key

if TYPE_CHECKING:
    from psycopg import Connection

_OLDEST_EXTENSION = (0, 8)
"""The first pgvector that continues a search until k rows have passed the filter."""

_TABLES = """
CREATE TABLE IF NOT EXISTS {chunks} (
    file_id text COLLATE "C" NOT NULL,
    chunk_id text COLLATE "C" NOT NULL,
    user_id text NOT NULL,
    project_id text NOT NULL,
    filename text NOT NULL,
    source text NOT NULL,
    media_type text NOT NULL,
    "index" integer NOT NULL,
    text text NOT NULL,
    text_sha256 text NOT NULL,
    "start" bigint NOT NULL,
    "end" bigint NOT NULL,
    prefix text NOT NULL,
    pages integer[] NOT NULL,
    section text[] NOT NULL,
    words integer NOT NULL,
    model text NOT NULL,
    dimension integer NOT NULL,
    generation bigint NOT NULL,
    created timestamptz NOT NULL DEFAULT transaction_timestamp(),
    rag_strict boolean,
    source_only boolean,
    embedding {column},
    CONSTRAINT {new_pk_chunks} PRIMARY KEY (file_id, chunk_id)
) WITH (fillfactor = 50, toast_tuple_target = 1024);
CREATE TABLE IF NOT EXISTS {files} (
    file_id text COLLATE "C" NOT NULL,
    user_id text NOT NULL,
    project_id text NOT NULL,
    filename text NOT NULL,
    key text NOT NULL,
    state text NOT NULL,
    version text NOT NULL,
    size_bytes bigint NOT NULL,
    sha256 text NOT NULL,
    media_type text NOT NULL,
    pages bigint NOT NULL,
    parts bigint NOT NULL,
    elements bigint NOT NULL,
    pictures bigint NOT NULL,
    chunks bigint NOT NULL,
    embedded bigint NOT NULL,
    reused bigint NOT NULL,
    duplicates bigint NOT NULL,
    model text NOT NULL,
    dimension integer NOT NULL,
    fingerprint text NOT NULL,
    generation bigint NOT NULL,
    summary text NOT NULL,
    error text NOT NULL,
    seconds double precision NOT NULL,
    peak_memory_mb double precision NOT NULL,
    origin text NOT NULL,
    updated_at text NOT NULL,
    record json NOT NULL,
    CONSTRAINT {new_pk_files} PRIMARY KEY (file_id)
)
"""

_LOOKUPS = """
CREATE INDEX IF NOT EXISTS {new_ix_scope_chunks} ON {chunks} (user_id, project_id);
CREATE INDEX IF NOT EXISTS {new_ix_text_chunks} ON {chunks} (text_sha256);
CREATE INDEX IF NOT EXISTS {new_ix_scope_files} ON {files} (user_id, project_id, file_id)
"""

_NEAREST = "CREATE INDEX IF NOT EXISTS {new_ix_vector_chunks} ON {chunks} USING hnsw (embedding {kind}_cosine_ops)"

_CLIENT_FIELDS = "ALTER TABLE {chunks} ADD COLUMN IF NOT EXISTS metadata json NOT NULL DEFAULT '{{}}'"
"""`json`, not `jsonb`: it gives back what came, numbers and order included. No row is written for the new column."""

_BY_CHUNK = "CREATE INDEX IF NOT EXISTS {new_ix_id_chunks} ON {chunks} (chunk_id)"
"""Tells in a moment whether any document of a client has a chunk of an id."""

MIGRATIONS: tuple[tuple[int, str], ...] = (
    (1, _TABLES),
    (2, _LOOKUPS),
    (3, _NEAREST),
    (4, _CLIENT_FIELDS),
    (5, _BY_CHUNK),
)

NEWEST = MIGRATIONS[-1][0]

_FOUNDATIONS = """
CREATE TABLE IF NOT EXISTS {ingest_migrations} (
    space text NOT NULL,
    number integer NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT transaction_timestamp(),
    PRIMARY KEY (space, number)
);
CREATE TABLE IF NOT EXISTS {ingest_space} (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    space text NOT NULL
)
"""

_OWNER = """
CREATE TABLE {ingest_owner} (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    id text NOT NULL,
    bucket text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT transaction_timestamp()
)
"""

_OURS = {
    "chunks": {"file_id", "chunk_id", "text_sha256", "generation"},  # not the vector: it goes with the extension
    "files": {"file_id", "generation", "fingerprint", "record"},
}
"""Columns of the first step by which a table is known as made here: another application's `chunks` has some of them at
most."""


def migrate(connection: Connection[Any], tables: Tables, *, location: str, upto: int = NEWEST) -> None:
    """Do every step that is not done yet; several processes may do so at once.

    Raises:
        ConfigError: the extension is missing or old, or the tables are of another model or a newer release.
    """
    _refuse_foreign(connection, tables, location=location)
    done = applied(connection, tables)
    if done is None or not done.issuperset(range(1, upto + 1)):
        _lay_foundations(connection, tables, location=location)
        for number, step in MIGRATIONS[:upto]:
            _apply(connection, tables, number=number, step=step)
    if upto == NEWEST:
        require_ready(connection, tables, location=location)


def claim(
    connection: Connection[Any], tables: Tables, owner: StoreOwner | None, *, location: str, take_over: bool
) -> None:
    """Record the bucket whose files the schema holds.

    Raises:
        ConfigError: the schema holds another bucket's files, or another application's tables of our names.
    """
    _refuse_foreign(connection, tables, location=location)
    if owner is None:
        return
    where = f"{location}, schema {tables.schema}"
    _make_schema(connection, tables)
    with connection.transaction():
        _take_turns(connection, tables)
        if not exists(connection, tables.schema, "ingest_owner"):
            connection.execute(tables.sql(_OWNER))
        found = connection.execute(tables.sql("SELECT id, bucket FROM {ingest_owner}")).fetchone()
        recorded = StoreOwner(*found) if found else None
        if (new := owner_to_record(recorded, owner, location=where, take_over=take_over)) is not None:
            connection.execute(tables.sql("DELETE FROM {ingest_owner}"))
            write = tables.sql("INSERT INTO {ingest_owner} (id, bucket) VALUES (%s, %s)")
            connection.execute(write, (new.id, new.bucket))


def _refuse_foreign(connection: Connection[Any], tables: Tables, *, location: str) -> None:
    """Raise ConfigError where a table of our name is another application's."""
    for name, ours in _OURS.items():
        there = _columns(connection, tables, name)
        if there and not ours <= there.keys():
            raise foreign(
                location,
                f"the table {tables.schema}.{tables.named(name)}, which has no column {min(ours - there.keys())},",
                "Set INGEST_PGVECTOR_SCHEMA to another schema, which is made if it is not there, or INGEST_PGVECTOR to "
                "another database",
            )


def applied(connection: Connection[Any], tables: Tables) -> set[int] | None:
    """Return the numbers of the steps done in this space; None if nothing was ever prepared."""
    if not exists(connection, tables.schema, "ingest_migrations"):
        return None
    rows = connection.execute(tables.sql("SELECT number FROM {ingest_migrations} WHERE space = %s"), (tables.space,))
    return {number for (number,) in rows}


def require_ready(connection: Connection[Any], tables: Tables, *, location: str) -> None:
    """Raise ConfigError unless the tables are what this release and this model need."""
    done = applied(connection, tables) or set()
    where = f"{location}, schema {tables.schema}"
    if any(number > NEWEST for number in done):
        raise ConfigError(
            f"{where}: the tables are of a newer release (step {max(done)}, this one knows {NEWEST}); upgrade this one"
        )
    if missing := sorted(set(range(1, NEWEST + 1)) - done):
        what = f"step {missing[0]} of {NEWEST} is not done" if done else "there are no tables"
        raise ConfigError(f"{where}: {what}; run `ingest prepare`")
    _refuse_foreign(connection, tables, location=location)
    _require_extension(connection, where=where)
    _require_column(connection, tables, where=where)


def _require_extension(connection: Connection[Any], *, where: str) -> None:
    row = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    if row is None:
        raise ConfigError(f"{where}: the extension is gone; run `ingest prepare`")
    if tuple(int(part) for part in row[0].split(".")[:2]) < _OLDEST_EXTENSION:
        raise ConfigError(f"{where}: pgvector {row[0]} is too old; ALTER EXTENSION vector UPDATE brings it to 0.8")


def _require_column(connection: Connection[Any], tables: Tables, *, where: str) -> None:
    there = _columns(connection, tables, "chunks")
    if "embedding" not in there:
        raise ConfigError(f"{where}: the table {tables.named('chunks')} is gone; restore it, or run `ingest prepare`")
    column = there["embedding"].rpartition(".")[2]
    if column != tables.column:
        raise another_length(where, f"{tables.named('chunks')}.embedding is {column}, the model gives {tables.column}")


def _columns(connection: Connection[Any], tables: Tables, name: str) -> dict[str, str]:
    """Return the columns of a table or view with their types; none where it is not there."""
    found = connection.execute(
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a JOIN pg_class c"
        " ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped",
        (tables.schema, tables.named(name)),
    )
    return dict(found.fetchall())


def _lay_foundations(connection: Connection[Any], tables: Tables, *, location: str) -> None:
    with connection.transaction():
        _take_turns(connection, tables)
        (encoding,) = connection.execute("SHOW server_encoding").fetchone() or ("",)
        if encoding != "UTF8":
            raise ConfigError(
                f"{location} is of encoding {encoding}; CREATE DATABASE … ENCODING 'UTF8' makes one for it"
            )
        if not connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'").fetchone():
            _make_extension(connection, location=location)
        _make_schema(connection, tables)
        if not exists(connection, tables.schema, "ingest_space"):
            connection.execute(tables.sql(_FOUNDATIONS))


def _make_schema(connection: Connection[Any], tables: Tables) -> None:
    if not connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (tables.schema,)).fetchone():
        connection.execute(tables.sql("CREATE SCHEMA IF NOT EXISTS {schema}"))


def _make_extension(connection: Connection[Any], *, location: str) -> None:
    from psycopg.errors import InsufficientPrivilege

    try:
        connection.execute("CREATE EXTENSION vector")
    except InsufficientPrivilege as error:
        raise ConfigError(
            f"{location}: the extension vector is missing and this user may not make it; "
            "have an administrator run CREATE EXTENSION vector in this database"
        ) from error


def _apply(connection: Connection[Any], tables: Tables, *, number: int, step: str) -> None:
    with connection.transaction():
        _take_turns(connection, tables)
        if number in (applied(connection, tables) or ()):
            return
        connection.execute(tables.sql(step))
        done = tables.sql("INSERT INTO {ingest_migrations} (space, number) VALUES (%s, %s)")
        connection.execute(done, (tables.space, number))


def _take_turns(connection: Connection[Any], tables: Tables) -> None:
    key = lock_key(tables.schema, "ingest_migrations")
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (key,))


def exists(connection: Connection[Any], schema: str, table: str) -> bool:
    """Tell whether a schema holds a table."""
    found = connection.execute(
        "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = %s",
        (schema, table),
    )
    return found.fetchone() is not None
