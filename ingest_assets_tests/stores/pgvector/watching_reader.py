"""Search PostgreSQL while a writer is killed (`killing.py`).

python -m ingest_assets_tests.stores.pgvector.watching_reader URL
"""

from __future__ import annotations

import sys

from ingest_assets.stores.pgvector.store import PgVectorStore
from ingest_assets_tests.stores.builders import DIMENSION
from ingest_assets_tests.stores.killing import watch
from ingest_assets_tests.stores.pgvector.killed_writer import ADDED, NEW, OLD, RECORD

if __name__ == "__main__":
    store = PgVectorStore(sys.argv[1], dimension=DIMENSION)
    watch(store, RECORD, {"old": OLD, "new": NEW, "added": ADDED, "none": []})
