"""Compare the two ways of converting the default model to OpenVINO: built from the weights, and traced from torch.

Each conversion has a process of its own, in turns. The vectors of both results are compared on 240 passages of the
samples, and each result embeds them in turns. Run it with `python -m benchmarks.embedding.conversion`; it prints the
table of README.md.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

WAYS = ("built", "traced")
ROUNDS = 3


def main() -> None:
    """Convert in turns, compare the vectors, and print the table."""
    with tempfile.TemporaryDirectory() as scratch:
        spent: dict[str, list[tuple[float, float, float]]] = {way: [] for way in WAYS}
        for _ in range(ROUNDS):
            for way in WAYS:
                folder = Path(scratch) / way
                folder.mkdir(exist_ok=True)
                spent[way].append(_in_child(way, folder))
        embedded, cosine = _compared(Path(scratch))
    print("| | conversion s | CPU s | peak MB | embedding 240 passages, CPU s |\n| --- | ---: | ---: | ---: | ---: |")
    for way in WAYS:
        wall, cpu, peak = (median(one[column] for one in spent[way]) for column in range(3))
        print(f"| {way} | {wall:.1f} | {cpu:.1f} | {peak:.0f} | {embedded[way]:.1f} |")
    print(f"\nLowest cosine between their vectors, float32: {cosine:.7f}")


def convert(way: str, folder: Path) -> None:
    """Write the model into a folder."""
    from ingest_assets.clients.embedding.bert_graph import bert_graph
    from ingest_assets.clients.embedding.openvino_conversion import traced_graph
    from ingest_assets.clients.embedding.openvino_runtime import openvino
    from ingest_assets.clients.embedding.weights import find_weights

    graph = {"built": bert_graph, "traced": traced_graph}[way](find_weights(None))
    openvino.save_model(graph, folder / "model.xml", compress_to_fp16=False)


def _in_child(way: str, folder: Path) -> tuple[float, float, float]:
    """Convert in a process of its own; return wall seconds, processor seconds and peak megabytes."""
    began = time.monotonic()
    arguments = [sys.executable, "-W", "ignore", "-m", "benchmarks.embedding.conversion", way, str(folder)]
    _, status, usage = os.wait4(os.posix_spawn(sys.executable, arguments, os.environ), 0)
    assert os.waitstatus_to_exitcode(status) == 0, way
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def _compared(folder: Path) -> tuple[dict[str, float], float]:
    """Return the processor seconds of embedding with each result, and the lowest cosine between the vectors."""
    import numpy as np

    from ingest_assets.clients.embedding.openvino_runtime import openvino

    batches = list(_batches())
    models = {way: openvino.Core().compile_model(folder / way / "model.xml", "CPU", _OPTIONS) for way in WAYS}
    seconds, vectors = dict.fromkeys(WAYS, 0.0), {way: [] for way in WAYS}  # type: dict[str, float], dict[str, list[Any]]
    for batch in batches:
        for way, model in models.items():
            began = time.process_time()
            vectors[way].append(model(batch)[0])
            seconds[way] += time.process_time() - began
    built, traced = (np.vstack(vectors[way]) for way in WAYS)
    return seconds, float((built * traced).sum(axis=1).min())


_OPTIONS = {"INFERENCE_PRECISION_HINT": "f32"}


def _batches(*, texts: int = 240, size: int = 4) -> list[dict[str, Any]]:
    """Cut passages of 1 to 160 words out of the samples, and lay them out in batches of equal length."""
    import numpy as np
    from tokenizers import Tokenizer

    from ingest_assets.clients.embedding.weights import find_weights

    samples = Path(__file__).resolve().parents[2] / "samples"
    names = ("log-book.txt", "radio-procedures.md", "visitors.html")
    words = " ".join((samples / name).read_text(encoding="utf-8") for name in names).split()
    tokenizer = Tokenizer.from_file(str(find_weights(None) / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()
    dice = np.random.default_rng(1)
    passages = [" ".join(words[at : at + dice.integers(1, 160)]) for at in dice.integers(0, len(words), texts)]
    found = []
    for first in range(0, texts, size):
        rows = tokenizer.encode_batch(passages[first : first + size])
        found.append(
            {
                "input_ids": np.array([row.ids for row in rows], dtype=np.int64),
                "attention_mask": np.array([row.attention_mask for row in rows], dtype=np.int64),
            }
        )
    return found


if __name__ == "__main__":
    if len(sys.argv) == 3:
        convert(sys.argv[1], Path(sys.argv[2]))
    else:
        main()
