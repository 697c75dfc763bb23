"""Search Chroma while a writer is killed (`killing.py`).

python -m ingest_assets_tests.stores.chroma.watching_reader LOCATION DATABASE
"""

from __future__ import annotations

import sys

from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets_tests.stores.chroma.killed_writer import NEW, OLD, RECORD
from ingest_assets_tests.stores.killing import watch

if __name__ == "__main__":
    location, database = sys.argv[1:]
    watch(ChromaStore(location, database=database), RECORD, {"old": OLD, "new": NEW, "none": []})
