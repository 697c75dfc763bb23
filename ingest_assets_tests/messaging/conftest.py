"""Give each test an empty database of both kinds, as the tests of the index have it."""

from __future__ import annotations

from ingest_assets_tests.index.conftest import database, index_postgres

__all__ = ["database", "index_postgres"]
