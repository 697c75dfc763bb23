"""Measure how well chunks are found, by the way they are embedded, and print the tables of README.md.

The whole path is measured: parser, parse, chunk, embed, exact cosine search. `run.py` measures the way that is in
force, `run.py --all` all ways beside it; vectors are kept in --cache from run to run.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import openvino
from edits import edits_table
from measures import Matrix, by_document, by_span
from sets import Placed, Question, covid_chunks, covid_questions, scifact_chunks, scifact_questions
from ways import FirstPieces, OverlappingWindows

from ingest_assets.clients.embedding.openvino_embedder import OpenVINOEmbedder
from ingest_assets.stages.chunking.chunk import ChunkSizes
from ingest_assets.stages.embed import Embedder, embed

DEFAULT = ChunkSizes()
CORPUS = Path(__file__).resolve().parents[2] / "../shared/corpus"


class VectorCache:
    """Vectors by model and text hash, on disk: what the store is to the embed stage."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{hashlib.sha256(embedder.model.encode()).hexdigest()[:16]}.npz"
        self.vectors: dict[str, Matrix] = dict(np.load(self.path)) if self.path.exists() else {}

    def known(self, text_sha256s: Sequence[str]) -> Mapping[str, Matrix]:
        return {key: self.vectors[key] for key in text_sha256s if key in self.vectors}

    def save(self) -> None:
        np.savez(self.path, **self.vectors)


def main() -> None:
    arguments = _arguments()
    models = arguments.cache / "models"
    ours = OpenVINOEmbedder(cache_dir=models)
    ways: list[tuple[str, Embedder, ChunkSizes]] = [("**windows of 256, mean (ours)**", ours, DEFAULT)]
    if arguments.all:
        ways = [
            ("first 256 pieces, rest lost", FirstPieces(cache_dir=models, pieces=256), DEFAULT),
            ("first 512 pieces, rest lost", FirstPieces(cache_dir=models, pieces=512), DEFAULT),
            *ways,
            *(
                (f"windows of {size}, mean", OpenVINOEmbedder(cache_dir=models, window_pieces=size), DEFAULT)
                for size in (128, 200, 512)
            ),
            ("windows of 256 sharing 64, mean", OverlappingWindows(cache_dir=models, pieces=256, shared=64), DEFAULT),
            ("ours, chunks of 100 to 300 words", ours, ChunkSizes(300, 100, 30)),
            ("ours, chunks of 80 to 200 words", ours, ChunkSizes(200, 80, 25)),
        ]
    print(_machine_line(), "\n")
    _print_table("SciFact", ways, arguments, ["nDCG@10", "recall@100"])
    _print_table("COVID-QA-long", ways, arguments, ["hit@10", "span recall@10", "nDCG@10", "document recall@10"])
    print("\n".join(edits_table(arguments.corpus / "documents/txt/book-war-and-peace-1225p.txt")))


def _print_table(
    name: str, ways: Sequence[tuple[str, Embedder, ChunkSizes]], arguments: argparse.Namespace, columns: list[str]
) -> None:
    print(f"| {name}: way | chunks | {' | '.join(columns)} |\n| --- | ---: |{' ---: |' * len(columns)}", flush=True)
    for way, embedder, sizes in ways:
        if name == "SciFact":
            folder = arguments.corpus / "retrieval/scifact"
            questions, chunks = scifact_questions(folder), list(scifact_chunks(folder, sizes))
            figures = by_document(_similarities(questions, chunks, embedder, arguments.cache), questions, chunks)
        else:
            folder = arguments.corpus / "retrieval/covidqa_long"
            questions, chunks = covid_questions(folder), list(covid_chunks(folder, sizes))
            figures = by_span(_similarities(questions, chunks, embedder, arguments.cache), questions, chunks)
        print(f"| {way} | {len(chunks):,} | {' | '.join(f'{figures[column]:.3f}' for column in columns)} |", flush=True)
    print()


def _similarities(questions: list[Question], chunks: list[Placed], embedder: Embedder, cache: Path) -> Matrix:
    """Embed by the stage itself, then compare all with all."""
    kept = VectorCache(cache / "vectors", embedder)
    embedded = list(embed((placed.chunk for placed in chunks), embedder=embedder, known=kept.known))
    kept.vectors.update({one.chunk.text_sha256: one.vector for one in embedded})
    kept.save()
    asked = embedder.embed([question.text for question in questions])
    return np.asarray(asked @ np.vstack([one.vector for one in embedded]).T, dtype=np.float32)


def _machine_line() -> str:
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        "",
    )
    versions = f"Python {platform.python_version()}, OpenVINO {openvino.__version__.split('-')[0]}"
    return f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores of {cpu}, {versions}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="every way that was compared")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "ingest_assets_benchmark")
    return parser.parse_args()


if __name__ == "__main__":
    main()
