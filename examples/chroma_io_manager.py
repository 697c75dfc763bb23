"""Store two documents in Chroma from a project of one's own, and search them.

Run it with `python examples/chroma_io_manager.py FOLDER`. It needs nothing of ingest_assets but the IO manager.
"""

import sys
from pathlib import Path

import dagster as dg

from ingest_assets.defs.io_managers import ChromaIOManager

TEXTS = {
    "tides": ["High tide is at noon on Monday.", "The tide table hangs beside the door."],
    "geese": ["The geese winter on the north meadow."],
}
WORDS = ("tide", "table", "geese", "meadow")

documents = dg.StaticPartitionsDefinition(list(TEXTS))


def embed(text: str) -> list[float]:
    """Count a few words: a stand-in for an embedding model."""
    return [0.01 + text.lower().count(word) for word in WORDS]


@dg.asset(partitions_def=documents, io_manager_key="vectors")
def notes(context: dg.AssetExecutionContext) -> list[dict[str, object]]:
    """The rows of one document; materialising it again replaces all of them at once."""
    texts = TEXTS[context.partition_key]
    return [{"text": text, "vector": embed(text), "page": page} for page, text in enumerate(texts, start=1)]


def main(folder: Path) -> None:
    """Materialise both documents and print what a search finds."""
    vectors = ChromaIOManager(location=str(folder), model="counted-words")
    for document in TEXTS:
        dg.materialize([notes], partition_key=document, resources={"vectors": vectors})
    for hit in vectors.search(embed("Where is the tide table?"), k=2, asset="notes"):
        print(f"{hit.score:.2f}  {hit.filename}, page {hit.chunk.pages[0]}: {hit.chunk.text}")  # noqa: T201
    vectors.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
