"""Embed texts with MiniLM, or another sentence-transformers model, on OpenVINO; no torch is needed.

The first vector comes half a second after a cold start, and the speed is several times that of torch on the same cores
(`benchmarks/embedding/README.md`). Windows are sorted by length, so that a batch holds hardly any padding, and two
batches are computed at the same time.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

from ingest_assets.clients.embedding.openvino_compiled import compiled
from ingest_assets.clients.embedding.openvino_conversion import MODEL_FILE, TOKENIZER_FILE, converted
from ingest_assets.clients.embedding.weights import describe
from ingest_assets.clients.embedding.wordpieces import WINDOW_PIECES, PieceWindow, WordPieces, identity, merge

if TYPE_CHECKING:
    from ingest_assets.records import Vector

Precision = Literal["auto", "bf16", "f32"]

BATCH = 4  # memory grows with the batch and speed does not: 290 MB at 4, 514 MB at 32 (benchmarks/embedding/README.md)
STREAMS = 2
LENGTH_STEP = 16
"""Batches are padded to a multiple of this length: OpenVINO keeps a plan for each shape, so shapes must be few."""


class OpenVINOEmbedder:
    """The default embedder. It finds, converts and compiles its model when the first text comes.

    Raises:
        ConfigError: the folder of weights holds no model that can be used.
    """

    def __init__(
        self,
        weights: Path | None = None,
        *,
        cache_dir: Path,
        precision: Precision = "auto",
        window_pieces: int = WINDOW_PIECES,
        batch: int = BATCH,
    ) -> None:
        card = describe(weights)
        self.dimension = card.dimension
        self._window_pieces = min(window_pieces, card.max_pieces)
        self.model = identity(card, window_pieces=self._window_pieces)
        self._weights = weights
        self._cache_dir = cache_dir
        self._precision = precision
        self._batch = batch
        # Each request that is being computed holds the working memory of a batch.
        self._streams = min(STREAMS if batch > 1 else 1, os.cpu_count() or 1)
        self._turn = Lock()

    def embed(self, texts: Sequence[str]) -> Vector:
        """Return one float32 unit vector per text, in the same order; every word of a text is in its vector.

        Raises:
            ConfigError: there is no model, or it cannot be converted.
        """
        with self._turn:  # the queue of requests cannot be used by two callers
            windows = self._pieces.windows(texts)
            return merge(self._read(windows), windows, texts=len(texts))

    def fits(self, texts: Sequence[str]) -> list[bool]:
        """Tell of each text whether the model reads it in one window, as sentence-transformers does.

        Raises:
            ConfigError: there is no model, or it cannot be converted.
        """
        return self._pieces.fit(texts)

    @cached_property
    def _folder(self) -> Path:
        return converted(self._weights, cache_dir=self._cache_dir)

    @cached_property
    def _pieces(self) -> WordPieces:
        return WordPieces(self._folder / TOKENIZER_FILE, window_pieces=self._window_pieces)

    @cached_property
    def _queue(self) -> Any:
        """Compile the model once, with one request for each stream."""
        from ingest_assets.clients.embedding.openvino_runtime import openvino

        core = openvino.Core()
        bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        precision = ("bf16" if bf16 else "f32") if self._precision == "auto" else self._precision
        options = {
            "INFERENCE_PRECISION_HINT": precision,
            "NUM_STREAMS": self._streams,
            # Bound to one core each, a stream waits for it while the other is free: a question took 80 ms, not 59,
            # beside other work (benchmarks/api/README.md).
            "ENABLE_CPU_PINNING": False,
        }
        return openvino.AsyncInferQueue(compiled(core, self._folder / MODEL_FILE, options), self._streams)

    def _read(self, windows: Sequence[PieceWindow]) -> Vector:
        """Return one vector per window."""
        import numpy as np

        vectors = np.zeros((len(windows), self.dimension), dtype=np.float32)

        def keep(request: Any, rows: list[int]) -> None:
            vectors[rows] = request.get_output_tensor().data

        self._queue.set_callback(keep)
        order = sorted(range(len(windows)), key=lambda row: len(windows[row].ids), reverse=True)
        size = max(
            1, min(self._batch, -(-len(order) // self._streams))
        )  # even a few windows are shared between the cores
        for first in range(0, len(order), size):
            rows = order[first : first + size]
            self._queue.start_async(_padded([windows[row].ids for row in rows]), userdata=rows)
        self._queue.wait_all()
        return vectors


def _padded(batch: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Return ids and mask, both int64[texts, width], padded with 0."""
    import numpy as np

    width = -(-max(map(len, batch)) // LENGTH_STEP) * LENGTH_STEP
    ids = np.zeros((len(batch), width), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, pieces in enumerate(batch):
        ids[row, : len(pieces)] = pieces
        mask[row, : len(pieces)] = 1
    return {"input_ids": ids, "attention_mask": mask}
