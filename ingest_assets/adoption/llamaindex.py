"""Read the tables that LlamaIndex makes for PGVector: `data_<name>` with id, text, metadata_, node_id and embedding.

The shape is that of llama-index-vector-stores-postgres, `base.py`, `get_data_model`: `metadata_` is JSON with the
fields of the document, its `doc_id` or `ref_doc_id`, and the whole node once more in `_node_content`. With hybrid
search there is a column `text_search_tsv` too, which is not read. LlamaIndex embeds the metadata in front of the text
by default; then no vector agrees, and all are embedded again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ingest_assets.adoption.fields import FieldNames
from ingest_assets.adoption.found import FoundRow
from ingest_assets.errors import ConfigError
from ingest_assets.stores.pgvector.errors import place_of, translated

_PAGE = 200
_TABLES = """
SELECT table_schema, table_name FROM information_schema.columns
WHERE column_name IN ('id', 'text', 'metadata_', 'node_id', 'embedding')
  AND table_schema NOT IN ('pg_catalog', 'information_schema')
GROUP BY 1, 2 HAVING count(*) = 5 ORDER BY 1, 2
"""
_ROWS = "SELECT id, text, metadata_, node_id, embedding::text AS embedding FROM {} ORDER BY id"


class LlamaIndexSource:
    """The tables of LlamaIndex in a database."""

    def __init__(self, url: str, *, names: FieldNames, only: Collection[str] = ()) -> None:
        """Take an address and the tables to read, with or without `data_`; by default all of this form.

        Raises:
            ConfigError: it is no address of a PostgreSQL server.
        """
        self._location, parts = place_of(url.replace("postgresql+psycopg2://", "postgresql://", 1))
        self._parts = parts
        self._names = names
        self._only = frozenset(only)

    def found(self) -> Iterator[FoundRow]:
        """Yield the rows of each table, by their id; a server-side cursor holds a few hundred in memory."""
        import psycopg
        from psycopg import sql
        from psycopg.rows import dict_row

        with translated(self._location), psycopg.connect(**self._parts, connect_timeout=10) as connection:
            connection.read_only = True
            for schema, table in self._tables(connection.execute(_TABLES).fetchall()):
                with connection.cursor(name="ingest_adopt", row_factory=dict_row) as rows:
                    rows.itersize = _PAGE
                    rows.execute(sql.SQL(_ROWS).format(sql.Identifier(schema, table)))
                    for row in rows:
                        fields = {key: value for key, value in row.items() if key != "id"}
                        yield self._names.row(fields, name=table.removeprefix("data_"))

    def _tables(self, there: list[tuple[str, str]]) -> list[tuple[str, str]]:
        chosen = [
            (schema, table)
            for schema, table in there
            if not self._only or table in self._only or table.removeprefix("data_") in self._only
        ]
        if not chosen:
            known = ", ".join(table for _, table in there) or "none"
            wanted = ", ".join(sorted(self._only)) or "with text, metadata_, node_id and embedding"
            raise ConfigError(f"{self._location}: there is no table {wanted}; LlamaIndex' tables there are {known}")
        return chosen
