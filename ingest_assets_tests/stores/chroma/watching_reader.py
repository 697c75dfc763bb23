"""A store in, whether searches ever saw anything but whole documents out: the reader of the kill tests.

    python -m ingest_assets_tests.stores.chroma.watching_reader LOCATION DATABASE

It searches until its standard input is closed, then prints how often each document was seen, and what else was.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from collections.abc import Mapping, Sequence

from ingest_assets.ledger_records import FileRecord
from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets.stores.contract import VectorStore
from ingest_assets_tests.stores.builders import scope_of, vector_of
from ingest_assets_tests.stores.chroma.killed_writer import NEW, OLD, RECORD


def main() -> None:
    location, database = sys.argv[1:]
    watch(ChromaStore(location, database=database), RECORD, {"old": OLD, "new": NEW, "none": []})


def watch(store: VectorStore, record: FileRecord, documents: Mapping[str, Sequence[str]]) -> None:
    """Search for a file's chunks until standard input is closed; tell which documents were seen, and how often."""
    stop = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    seen: Counter[str] = Counter()
    whole = {tuple(sorted(texts)): name for name, texts in documents.items()}
    while not stop.is_set():
        hits = store.search(vector_of("anything"), k=100, scope=scope_of(record))
        texts = tuple(sorted(hit.chunk.text for hit in hits))
        seen[whole.get(texts, f"half: {texts}")] += 1
        if sum(seen.values()) == 1:
            sys.stdout.write("reading\n")
            sys.stdout.flush()
    store.close()
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main()
