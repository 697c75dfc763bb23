"""Measure the seconds and peak memory of whole runs, and of a second pass over unchanged files.

    .venv/bin/python benchmarks/pipeline/run.py ../shared/corpus/documents/pdf/pdf2image-memory-error-test-400p.pdf

Each row is one run of `ingest_file` in a process of its own, in a fresh home; memory is the largest sum of the resident
memory (PSS) of the run's process and its children, sampled every 50 ms until the run is over.
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
from dataclasses import dataclass
from pathlib import Path

INGEST = Path(sys.executable).with_name("ingest")
DAGSTER = Path(sys.executable).with_name("dagster")
SAMPLE_S = 0.05


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took."""

    seconds: float
    peak_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pdf", type=Path, nargs="?", help="without it, only the second pass is measured")
    parser.add_argument("--times", type=int, default=5, help="the longer document is the file so many times over")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {platform.system()}\n")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        command("prepare", home=home)
        if arguments.pdf:
            documents(arguments.pdf, arguments.times, home=home)
        unchanged_pass(home)


def documents(pdf: Path, times: int, *, home: Path) -> None:
    """Ingest a document, and the same so many times over in one file."""
    print("| document | pages | seconds | peak MB | against the first |")
    print("| --- | --: | --: | --: | --: |")
    longer = home / "longer.pdf"
    concatenate(pdf, times, longer)
    first = document_row(pdf, home=home, first=None)
    document_row(longer, home=home, first=first)
    print()


def document_row(path: Path, *, home: Path, first: Cost | None) -> Cost:
    """Ingest one document with plain Dagster and print its row."""
    key = home / "bucket" / "b" / "p" / path.name
    key.parent.mkdir(parents=True, exist_ok=True)
    key.write_bytes(path.read_bytes())
    tags = json.dumps({"dagster/partition": f"b:p:{path.name}"})
    job = [str(DAGSTER), "job", "execute", "-m", "ingest_assets.definitions", "-j", "ingest_file", "--tags", tags]
    cost = measure(job, home=home)
    (record,) = [row for row in json.loads(command("files", "--json", home=home)) if row["filename"] == path.name]
    assert record["state"] == "succeeded", record["error"]
    ratio = f"{cost.peak_mb / first.peak_mb - 1:+.0%}" if first else ""
    print(f"| {path.name} | {record['pages']:,} | {cost.seconds:.0f} | {cost.peak_mb:.0f} | {ratio} |", flush=True)
    return cost


def unchanged_pass(home: Path, *, files: int = 40) -> None:
    """Ingest many small files once, then time looking at them again."""
    folder = home / "small"
    folder.mkdir()
    for number in range(files):
        (folder / f"note-{number}.txt").write_text(f"Note {number}: the lamp was lit at dusk and put out at dawn.\n")
    owner = ("--user", "b", "--project", "small")
    command("add", str(folder), *owner, home=home)
    empty = min(measure([str(INGEST), "files", "--user", "nobody"], home=home).seconds for _ in range(3))
    again = min(measure([str(INGEST), "add", str(folder), *owner], home=home).seconds for _ in range(3))
    outcomes = json.loads(command("add", str(folder), *owner, "--json", home=home))
    assert all(outcome["unchanged"] for outcome in outcomes)
    print(f"{files} unchanged files: {again:.2f} s in all, {empty:.2f} s of it starting the program;")
    print(f"{(again - empty) / files * 1000:.1f} ms per file, no run started, nothing embedded.")


def measure(words: list[str], *, home: Path) -> Cost:
    """Run a command to its end, sampling the memory of its whole process tree."""
    import psutil

    began = time.perf_counter()
    process = psutil.Popen(words, env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        try:
            tree = [process, *process.children(recursive=True)]
            peak = max(peak, sum(member.memory_full_info().pss for member in tree))
        except psutil.Error:
            continue  # one of them has just ended
        time.sleep(SAMPLE_S)
    assert process.returncode == 0, words
    return Cost(seconds=time.perf_counter() - began, peak_mb=peak / 2**20)


def command(*words: str, home: Path) -> str:
    return subprocess.run(
        [str(INGEST), *words], env=environment(home), check=True, capture_output=True, text=True
    ).stdout


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "DAGSTER_HOME": str(home), "HF_HUB_OFFLINE": "1"}


def concatenate(path: Path, times: int, target: Path) -> None:
    import pypdfium2

    source, whole = pypdfium2.PdfDocument(path), pypdfium2.PdfDocument.new()
    for _ in range(times):
        whole.import_pages(source)
    whole.save(target)


if __name__ == "__main__":
    main()
