"""Search MongoDB while a writer is killed (`killing.py`).

python -m ingest_assets_tests.stores.atlas.watching_reader URI DATABASE VECTOR_SEARCH
"""

from __future__ import annotations

import sys

from ingest_assets.stores.atlas.store import AtlasStore
from ingest_assets_tests.stores.atlas.killed_writer import ADDED, EDITED, NEW, OLD, RECORD
from ingest_assets_tests.stores.builders import DIMENSION
from ingest_assets_tests.stores.killing import watch

if __name__ == "__main__":
    uri, database, vector_search = sys.argv[1:4]
    store = AtlasStore(uri, database=database, dimension=DIMENSION, vector_search=vector_search == "1")
    watch(store, RECORD, {"old": OLD, "new": NEW, "edited": EDITED, "added": [*OLD, *ADDED], "none": []})
