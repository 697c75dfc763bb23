"""Adopt three documents into a folder, and die at the nth call of the embedder. Called by `test_killed.py`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets_tests.adoption.builders import CountingEmbedder, adopted, row
from ingest_assets_tests.stores.builders import Vector

TEXTS = {name: [f"{name}: paragraph {number}" for number in range(300)] for name in ("one", "two", "three")}


class DyingEmbedder(CountingEmbedder):
    """Kills its process at a chosen call."""

    left = 0

    def embed(self, texts: Sequence[str]) -> Vector:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().embed(texts)


if __name__ == "__main__":
    folder, embedder = Path(sys.argv[1]), DyingEmbedder()
    embedder.left = int(sys.argv[2])
    store = ChromaStore(str(folder / "store"))
    store.prepare()
    found = [row(text, name=name, index=index) for name, texts in TEXTS.items() for index, text in enumerate(texts)]
    adopted(folder, *found, store=store, embedder=embedder)
    store.close()
