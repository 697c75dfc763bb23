"""Read and write the entries of the ledger in PostgreSQL: one row of the table `files` for each file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingest_assets.ledger_records import FileRecord, Scope
from ingest_assets.stores.incoming import plain
from ingest_assets.stores.pgvector.rows import LEDGER, ledger_row, record_of

if TYPE_CHECKING:
    from psycopg import Connection

    from ingest_assets.stores.pgvector.tables import Tables

_RECORDS = "SELECT record::text FROM {files} WHERE {condition} ORDER BY file_id LIMIT %s OFFSET %s"

_SCOPE = "user_id = %s AND project_id = %s"


def entry_of(connection: Connection[Any], tables: Tables, file_id: str) -> FileRecord | None:
    """Read a file's record."""
    statement = tables.sql("SELECT record::text FROM {files} WHERE file_id = %s")
    found = connection.execute(statement, (file_id,)).fetchone()
    return record_of(found[0]) if found else None


def write_entry(connection: Connection[Any], tables: Tables, record: FileRecord) -> None:
    """Write a file's record."""
    from psycopg.sql import SQL, Identifier, Placeholder

    names = [*LEDGER, "record"]
    statement = tables.sql(
        "INSERT INTO {files} ({names}) VALUES ({values}) ON CONFLICT (file_id) DO UPDATE SET {changes}",
        names=SQL(", ").join(map(Identifier, names)),
        values=SQL(", ").join([Placeholder()] * len(names)),
        changes=SQL(", ").join(SQL("{0} = EXCLUDED.{0}").format(Identifier(name)) for name in names[1:]),
    )
    connection.execute(statement, ledger_row(record))


def projects_of(connection: Connection[Any], tables: Tables, user_id: str) -> list[str]:
    """List the projects of a user in order."""
    statement = tables.sql('SELECT DISTINCT project_id COLLATE "C" FROM {files} WHERE user_id = %s ORDER BY 1')
    return [project_id for (project_id,) in connection.execute(statement, (user_id,))]


def page_of_records(
    connection: Connection[Any], tables: Tables, scope: Scope | None, *, limit: int, offset: int
) -> list[FileRecord]:
    """List records by file_id; all users' without a scope."""
    from psycopg.sql import SQL

    condition, values = ("true", []) if scope is None else (_SCOPE, [plain(scope.user_id), plain(scope.project_id)])
    statement = tables.sql(_RECORDS, condition=SQL(condition))
    return [record_of(text) for (text,) in connection.execute(statement, [*values, limit, offset])]
