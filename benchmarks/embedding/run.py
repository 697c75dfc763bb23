"""Measure our embedder beside sentence-transformers on torch, on the same chunks, and print the table of README.md.

Each measurement has a process of its own, in turns, after a warm-up: first vector, texts per second, peak memory. Both
read the same windows of word pieces, so they do the same work. The machine's own speed is measured in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

CORPUS = Path(__file__).resolve().parents[2] / "../shared/corpus"
RUNTIMES = ("torch f32", "openvino f32", "openvino bf16")


def main() -> None:
    """Measure in turns, and print the table."""
    arguments = _arguments()
    texts = arguments.cache / "texts.json"
    arguments.cache.mkdir(parents=True, exist_ok=True)
    texts.write_text(json.dumps(_chunk_texts(arguments.corpus, count=arguments.texts)))
    found: dict[str, list[dict[str, float]]] = {runtime: [] for runtime in RUNTIMES}
    rooflines = []
    for _ in range(arguments.rounds):
        for runtime in RUNTIMES:
            found[runtime].append(_in_child(runtime, arguments.cache))
        rooflines.append(_in_child("roofline", arguments.cache))
    roofline = max(one["gflops"] for one in rooflines)
    print(_machine_line(), f"; bf16 matmul {roofline:.0f} GFLOP/s; medians of {arguments.rounds} rounds\n", sep="")
    print(_table(found, roofline=roofline, cache=arguments.cache))


def _table(found: dict[str, list[dict[str, float]]], *, roofline: float, cache: Path) -> str:
    reference = median(one["texts_per_s"] for one in found[RUNTIMES[0]])
    rows = [
        "| | chunks/s | times torch | CPU ms per chunk | GFLOP/s | share of bf16 matmul | first vector s | peak MB | "
        "min cosine, one window | min cosine, chunks |",
        "| --- |" + " ---: |" * 9,
    ]
    for runtime, rounds in found.items():
        middle = {name: median(one[name] for one in rounds) for name in rounds[0]}
        peak = max(one["peak_mb"] for one in rounds)
        cosines = [_min_cosine(cache, runtime, part) for part in ("windows", "chunks")]
        rows.append(
            f"| {runtime} | {middle['texts_per_s']:.1f} | {middle['texts_per_s'] / reference:.1f} | "
            f"{middle['cpu_ms']:.0f} | "
            f"{middle['gflops']:.0f} | {middle['gflops'] / roofline:.0%} | {middle['first_s']:.2f} | {peak:.0f} | "
            f"{cosines[0]:.5f} | {cosines[1]:.5f} |"
        )
    return "\n".join(rows)


def _min_cosine(cache: Path, runtime: str, part: str) -> float:
    reference, vectors = (np.load(cache / f"{name}.npz")[part] for name in (RUNTIMES[0], runtime))
    return float((reference * vectors).sum(axis=1).min())


def _chunk_texts(corpus: Path, *, count: int) -> list[str]:
    """Take chunks evenly from 92 papers, cut with the default sizes."""
    from ingest_assets.parsers.contract import Limits
    from ingest_assets.parsers.text import plain as text_parser
    from ingest_assets.stages.chunking.chunk import ChunkSizes, chunk
    from ingest_assets.stages.parse import parse

    found = []
    for path in sorted((corpus / "retrieval/covidqa_long/docs").glob("*.txt")):
        parts = parse(path, parser=text_parser, limits=Limits(), keep=lambda *_: None)
        found += [piece.text for piece in chunk(parts, file_id=path.stem, captions={}, sizes=ChunkSizes())]
    return found[:: max(1, len(found) // count)][:count]


def _in_child(what: str, cache: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--measure", what, "--cache", str(cache)], capture_output=True, text=True, check=True
    )
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _measure(runtime: str, cache: Path) -> dict[str, float]:
    """Embed the texts in this process."""
    texts = json.loads((cache / "texts.json").read_text())
    start = time.perf_counter()
    embedder = _embedder(runtime, cache)
    embedder.embed(["first"])
    first_s = time.perf_counter() - start
    embedder.embed(texts[:16])
    start, start_cpu = time.perf_counter(), time.process_time()
    chunks = embedder.embed(texts)
    seconds, cpu_s = time.perf_counter() - start, time.process_time() - start_cpu
    peak_mb = _peak_mb()
    windows = embedder._pieces.windows(texts)
    np.savez(cache / f"{runtime}.npz", chunks=chunks, windows=embedder.embed([window.text for window in windows[::4]]))
    flops = sum(_flops(len(window.ids)) for window in windows)
    return {
        "first_s": first_s,
        "texts_per_s": len(texts) / seconds,
        "cpu_ms": cpu_s / len(texts) * 1000,
        "gflops": flops / seconds / 1e9,
        "peak_mb": peak_mb,
    }


def _embedder(runtime: str, cache: Path) -> Any:
    if runtime.startswith("torch"):
        from ingest_assets.clients.embedding.torch_embedder import TorchEmbedder

        return TorchEmbedder()
    from ingest_assets.clients.embedding.openvino_embedder import OpenVINOEmbedder

    return OpenVINOEmbedder(cache_dir=cache / "models", precision="bf16" if runtime.endswith("bf16") else "f32")


def _flops(pieces: int, *, layers: int = 6, width: int = 384) -> int:
    """Multiplications and additions of one window: projections and feed-forward, then attention; no padding."""
    return layers * (24 * pieces * width**2 + 4 * pieces**2 * width)


def _peak_mb() -> float:
    """The highest resident memory of this process, not of the one it was started from."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _roofline() -> dict[str, float]:
    """The fastest bf16 matrix product that either library manages on all cores."""
    import torch

    size = 2048
    one, other = (torch.randn(size, size, dtype=torch.bfloat16) for _ in range(2))
    return {"gflops": max(_gflops(lambda: one @ other, size=size), _gflops(_openvino_matmul(size), size=size))}


def _openvino_matmul(size: int) -> Callable[[], Any]:
    import openvino
    from openvino import opset13 as ops

    left = ops.parameter([size, size], dtype=np.float32)
    right = ops.constant(np.random.default_rng(0).standard_normal((size, size)).astype(np.float32))
    model = openvino.Model([ops.matmul(left, right, False, False)], [left])
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "bf16"})
    request = compiled.create_infer_request()
    value = np.ones((size, size), dtype=np.float32)
    return lambda: request.infer({0: value}, share_inputs=True, share_outputs=True)


def _gflops(multiply: Callable[[], Any], *, size: int, times: int = 30) -> float:
    multiply()
    best = min(_seconds(multiply) for _ in range(times))
    return float(2 * size**3 / best / 1e9)


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _machine_line() -> str:
    import openvino

    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    versions = f"Python {platform.python_version()}, OpenVINO {openvino.__version__.split('-')[0]}"
    return f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores of {names[0].split(':')[1].strip()}, {versions}"


def _arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "ingest_assets_benchmark")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--measure", help="(a measuring process)")
    return parser.parse_args(given)


if __name__ == "__main__":
    if (given := _arguments()).measure:
        print(json.dumps(_roofline() if given.measure == "roofline" else _measure(given.measure, given.cache)))
    else:
        main()
