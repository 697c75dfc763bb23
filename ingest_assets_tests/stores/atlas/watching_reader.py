"""A MongoDB in, whether searches ever saw anything but whole documents out: the reader of `test_atlas_kill.py`.

    python -m ingest_assets_tests.stores.atlas.watching_reader URI DATABASE VECTOR_SEARCH

It searches until its standard input is closed, then prints how often each document was seen, and what else was.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter

from ingest_assets.stores.atlas.store import AtlasStore
from ingest_assets_tests.stores.atlas.killed_writer import ADDED, EDITED, NEW, OLD, RECORD
from ingest_assets_tests.stores.builders import DIMENSION, scope_of, vector_of

WHOLE = {
    tuple(sorted(OLD)): "old",
    tuple(sorted(NEW)): "new",
    tuple(sorted(EDITED)): "edited",
    tuple(sorted([*OLD, *ADDED])): "added",
    (): "none",
}


def main() -> None:
    uri, database, vector_search = sys.argv[1:4]
    store = AtlasStore(uri, database=database, dimension=DIMENSION, vector_search=vector_search == "1")
    stop = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    seen: Counter[str] = Counter()
    while not stop.is_set():
        hits = store.search(vector_of("anything"), k=100, scope=scope_of(RECORD))
        texts = tuple(sorted(hit.chunk.text for hit in hits))
        seen[WHOLE.get(texts, f"half: {texts}")] += 1
        if sum(seen.values()) == 1:
            sys.stdout.write("reading\n")
            sys.stdout.flush()
    store.close()
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main()
