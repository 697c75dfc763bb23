"""Measure pages per second and peak memory of the PDF parser beside `unstructured` with the strategy "fast".

    python -m benchmarks.pdf.run [--baseline-python PYTHON]

Each measurement is a fresh process that reads one file once. The libraries are imported before the clock starts. Time
is processor time, because both use one thread and the machine may be shared. The peak is the high-water mark of the
resident memory of the whole process, imports included.

"fast" reads only text. This parser is measured with pictures read and encoded, as it is used, and without pictures,
which is the work of the baseline.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "../shared/corpus/documents"
FILES = (
    "pdf/tracemonkey.pdf",
    "pdf/GeoTopo-komprimiert.pdf",
    "pdf/pdf2image-memory-error-test-400p.pdf",
    "pdf/testPDF_bad_page_303226.pdf",
    "pdf/normal_4pages.pdf",
    "pdf/amt_handbook_sample.pdf",
    "pdf/2305.03393v1-pg9.pdf",
    "pdf/right_to_left_01.pdf",
)
LONGEST = "pdf/pdf2image-memory-error-test-400p.pdf"
COPIES = 5
_IGNORED = re.compile("[\u00ad\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--baseline-python", type=Path, help="interpreter with unstructured[pdf]; without it, ours only"
    )
    parser.add_argument("--measure", choices=("ours", "text", "unstructured"), help=argparse.SUPPRESS)
    parser.add_argument("files", nargs="*", help=f"below {CORPUS.name}/; default: {len(FILES)} files")
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure, Path(args.files[0]))))
        return
    print(machine(), end="\n\n")
    print_comparison(args.files or FILES, args.baseline_python)
    print_growth()


def print_comparison(files: tuple[str, ...] | list[str], baseline: Path | None) -> None:
    """Print one row per file: both parsers, their ratio, and how many of the manifest's phrases are in the text."""
    phrases = _phrases()
    print(
        "| file | pages | ours: pages/s | text only | MB | phrases | fast: pages/s | MB | phrases | faster | memory |"
    )
    print("| --- | --: | --: | --: | --: | :-: | --: | --: | :-: | --: | --: |")
    totals = [0.0, 0.0, 0.0, 0.0]
    for file in files:
        path, wanted = CORPUS / file, phrases.get(file, [])
        ours, text = (_in_fresh_process(sys.executable, name, path) for name in ("ours", "text"))
        pages = ours["pages"]
        cells = [file.rpartition("/")[2], str(pages), _speed(pages, ours), _speed(pages, text), _memory(ours)]
        cells.append(_found(ours, wanted))
        if baseline:
            fast = _in_fresh_process(str(baseline), "unstructured", path)
            ratio = f"{fast['seconds'] / text['seconds']:.0f} x" if fast["text"].strip() else "read nothing"
            cells += [_speed(pages, fast), _memory(fast), _found(fast, wanted), ratio]
            cells.append(f"{ours['peak_mb'] / fast['peak_mb']:.0%}")
            if fast["text"].strip():
                seconds = (pages, ours["seconds"], text["seconds"], fast["seconds"])
                totals = [total + new for total, new in zip(totals, seconds, strict=True)]
        print(f"| {' | '.join(cells)} |", flush=True)
    if baseline and totals[0]:
        count, all_s, text_s, fast_s = totals
        print(
            f"| all that both read | {count:.0f} | {count / all_s:.0f} | {count / text_s:.0f} | | | "
            f"{count / fast_s:.0f} | | | {fast_s / text_s:.0f} x | |"
        )


def print_growth() -> None:
    """Print the peak memory of the longest file and of the same file five times over."""
    with tempfile.TemporaryDirectory() as folder:
        long = Path(folder) / "five-times.pdf"
        concatenate(CORPUS / LONGEST, long, copies=COPIES)
        once = _in_fresh_process(sys.executable, "ours", CORPUS / LONGEST)
        many = _in_fresh_process(sys.executable, "ours", long)
    growth = many["peak_mb"] / once["peak_mb"] - 1
    print("\n| pages | seconds | peak MB |\n| --: | --: | --: |")
    print(f"| {once['pages']} | {once['seconds']:.1f} | {once['peak_mb']:.0f} |")
    print(f"| {many['pages']} | {many['seconds']:.1f} | {many['peak_mb']:.0f} ({growth:+.0%}) |")


def measure(name: str, path: Path) -> dict[str, Any]:
    """Read a file with one of the parsers; return pages, seconds, peak memory and the path of the text."""
    read = {"ours": _ours, "text": _text, "unstructured": _unstructured}[name]()
    start = time.process_time()
    pages = 0
    with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False, encoding="utf-8") as file:
        for number, text in read(path):
            pages = max(pages, number)
            file.write(f"{text}\n")
    seconds = time.process_time() - start
    peak_mb = _peak_kb() / 1024
    return {"pages": pages, "seconds": seconds, "peak_mb": peak_mb, "text": file.name}


def _peak_kb() -> int:
    """Return the high-water mark of this process's memory; that of getrusage includes the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def concatenate(source: Path, target: Path, *, copies: int) -> None:
    """Write a PDF that repeats another one."""
    from pypdfium2 import PdfDocument

    with PdfDocument.new() as many, PdfDocument(source) as once:
        for _ in range(copies):
            many.import_pages(once)
        many.save(target)


def machine() -> str:
    """Describe the machine in a line."""
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    return f"{os.cpu_count()} cores,{model.partition(':')[2]}, Python {platform.python_version()}, {platform.system()}"


def _text() -> Any:
    return _ours(max_pictures=0)


def _ours(*, max_pictures: int | None = None) -> Any:
    import PIL.Image  # noqa: F401
    import pypdfium2  # noqa: F401

    from ingest_assets.parsers.contract import Limits
    from ingest_assets.parsers.pdf import parser as pdf

    limits = Limits() if max_pictures is None else Limits(max_pictures=max_pictures)

    def read(path: Path) -> Iterator[tuple[int, str]]:
        for part in pdf.read(path, limits=limits):
            yield part.number, "\n".join(element.text for element in part.elements)

    return read


def _unstructured() -> Any:
    os.environ["UNSTRUCTURED_DISABLE_NOTICE"] = "1"
    import spacy
    from unstructured.nlp import tokenize
    from unstructured.partition.pdf import partition_pdf

    model = spacy.blank("en")  # the trained one is fetched from GitHub on first use; a blank one is faster
    model.add_pipe("sentencizer")
    tokenize._load_spacy_model = lambda *args, **kwargs: model

    def read(path: Path) -> Iterator[tuple[int, str]]:
        for element in partition_pdf(str(path), strategy="fast"):
            yield element.metadata.page_number or 0, element.text

    return read


def _in_fresh_process(python: str, name: str, path: Path) -> dict[str, Any]:
    command = [python, str(Path(__file__).resolve()), "--measure", name, str(path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    text = Path(result["text"])
    result["text"] = text.read_text(encoding="utf-8")
    text.unlink()
    return result


def _phrases() -> dict[str, list[str]]:
    """Return the phrases of the corpus' manifest by file."""
    with (CORPUS / "MANIFEST.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    columns = ("ground_truth_phrase", "late_phrase_near_the_end")
    return {row["path"]: [row[column] for column in columns if row[column]] for row in rows}


def _speed(pages: int, result: dict[str, Any]) -> str:
    return f"{pages / result['seconds']:.0f}"


def _memory(result: dict[str, Any]) -> str:
    return f"{result['peak_mb']:.0f}"


def _found(result: dict[str, Any], wanted: list[str]) -> str:
    text = _normalised(result["text"])
    return f"{sum(_normalised(phrase) in text for phrase in wanted)}/{len(wanted)}"


def _normalised(text: str) -> str:
    return " ".join(_IGNORED.sub("", unicodedata.normalize("NFKC", text)).split())


if __name__ == "__main__":
    main()
