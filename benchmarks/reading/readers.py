"""Read files with one of several readers, and print the text and the cost of each as a line of JSON.

It runs as a program under the interpreter that has the reader's library: once per file to measure speed or memory, once
for many files to get only their texts, because some readers take ten seconds to import. The libraries are imported
before the clock starts. Time is processor time of all threads; the peak is the process's high-water mark of resident
memory, imports included.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 600
_MARK = "read: "  # libraries print lines of their own
Read = Callable[[Path], Iterator[str]]


def ours(path: Path) -> Iterator[str]:
    """Read with this project's parsers."""
    from ingest_assets.parsers.contract import Limits
    from ingest_assets.parsers.detection.media_type import detect
    from ingest_assets.parsers.families import parser_for

    parser = parser_for(detect(path, filename=path.name), filename=path.name)
    for part in parser.read(path, limits=Limits()):
        for element in part.elements:
            yield element.text


def unstructured(path: Path) -> Iterator[str]:
    """Read with `unstructured`, strategy "fast"."""
    from unstructured.partition.auto import partition

    for element in partition(str(path), strategy="fast"):
        yield element.text


def markitdown(path: Path) -> Iterator[str]:
    """Read with Microsoft's markitdown."""
    from markitdown import MarkItDown

    yield MarkItDown(enable_plugins=False).convert(str(path)).text_content


def kreuzberg(path: Path) -> Iterator[str]:
    """Read with kreuzberg, without OCR."""
    from kreuzberg import ExtractionConfig, extract_file_sync

    yield extract_file_sync(str(path), config=ExtractionConfig(disable_ocr=True, use_cache=False)).content


def docling(path: Path) -> Iterator[str]:
    """Read with docling; for PDFs it needs models that it downloads."""
    from docling.document_converter import DocumentConverter

    yield DocumentConverter().convert(str(path)).document.export_to_text()


def pdftotext(path: Path) -> Iterator[str]:
    """Read a PDF with poppler's pdftotext."""
    done = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, check=True, timeout=TIMEOUT_S)
    yield done.stdout.decode("utf-8", "replace")


READERS: dict[str, Read] = {
    reader.__name__: reader for reader in (ours, unstructured, markitdown, kreuzberg, docling, pdftotext)
}


def prepare(name: str) -> None:
    """Import what a reader needs, so that the clock does not count it."""
    if name == "ours":
        import ingest_assets.parsers.families  # noqa: F401
    elif name == "unstructured":
        os.environ["UNSTRUCTURED_DISABLE_NOTICE"] = "1"
        import spacy
        import unstructured.partition.auto  # noqa: F401
        from unstructured.nlp import tokenize

        model = spacy.blank("en")  # the trained one is fetched from GitHub on first use; a blank one is faster
        model.add_pipe("sentencizer")
        tokenize._load_spacy_model = lambda *args, **kwargs: model
    elif name in ("markitdown", "kreuzberg"):
        __import__(name)


def measured(name: str, path: Path, python: str) -> dict[str, Any]:
    """Read a file in a process of its own; a failure has an `error` and no text."""
    return next(read_all(name, [path], python))


def read_all(name: str, paths: Sequence[Path], python: str) -> Iterator[dict[str, Any]]:
    """Read files one after the other in few processes; a process that dies or hangs loses only its current file."""
    left = list(paths)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    if name == "pdftotext" and not shutil.which("pdftotext"):
        yield from ({"error": "pdftotext is not installed", "text": ""} for _ in left)
        return
    while left:
        command = [python, str(Path(__file__).resolve()), name, *map(str, left)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )
        watch = threading.Timer(TIMEOUT_S * len(left), process.kill)
        watch.daemon = True
        watch.start()
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(_MARK):
                yield json.loads(line.removeprefix(_MARK))
                left.pop(0)
        process.wait()
        watch.cancel()
        if left:
            yield {"error": f"the reader ended with {process.returncode}", "text": ""}
            left.pop(0)


def peak_mb() -> float:
    """Return the high-water mark of this process's memory; that of getrusage includes the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


def main(name: str, paths: Sequence[Path]) -> None:
    """Read files, and print a line of JSON for each."""
    prepare(name)
    for path in paths:
        before = resource.getrusage(resource.RUSAGE_SELF)
        began = time.perf_counter()
        try:
            found = {"text": "\n".join(READERS[name](path))}
        except Exception as error:  # noqa: BLE001 - whatever a reader raises, it has not read the file
            found = {"text": "", "error": f"{type(error).__name__}: {error}"[:300]}
        wall = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_SELF)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        cost = {"seconds": seconds, "wall": wall, "peak_mb": peak_mb()}
        print(f"\n{_MARK}{json.dumps(found | cost)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], [Path(name) for name in sys.argv[2:]])
