"""A reader's name and a file in, the text that it reads in another file out, with what it took.

Run as a program, once per file: each measurement is a process of its own, under the interpreter that has the library.
The libraries are imported before the clock starts. Time is the processor's, of all threads; the peak is the high-water
mark of the process' memory as the kernel counts it, imports included.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 600
Read = Callable[[Path], Iterator[str]]


def ours(path: Path) -> Iterator[str]:
    """Read with this project's parsers."""
    from ingest_assets.parsers.contract import Limits
    from ingest_assets.parsers.families import parser_for
    from ingest_assets.parsers.media_type import detect

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


def pdftotext(path: Path) -> Iterator[str]:
    """Read a PDF with poppler's pdftotext."""
    done = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, check=True, timeout=TIMEOUT_S)
    yield done.stdout.decode("utf-8", "replace")


READERS: dict[str, Read] = {
    reader.__name__: reader for reader in (ours, unstructured, markitdown, kreuzberg, pdftotext)
}


def prepare(name: str) -> None:
    """Import what a reader needs, so that the clock does not count it."""
    if name == "ours":
        sys.path.insert(0, str(ROOT))
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
    """Read a file in a process of its own; what fails has an `error` and no text."""
    if name == "pdftotext" and not shutil.which("pdftotext"):
        return {"error": "pdftotext is not installed", "text": ""}
    command = [python, str(Path(__file__).resolve()), name, str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"no end within {TIMEOUT_S} s", "text": ""}
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        return {"error": (done.stderr.strip().splitlines() or ["it died"])[-1][:200], "text": ""}
    result: dict[str, Any] = json.loads(lines[-1])
    return result


def peak_mb() -> float:
    """Return the high-water mark of this program's memory; getrusage's counts the process it was forked from too."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


def main(name: str, path: Path) -> None:
    """Read, and print what came out as one line of JSON."""
    prepare(name)
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    text = "\n".join(READERS[name](path))
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print("\n" + json.dumps({"seconds": seconds, "wall": wall, "peak_mb": peak_mb(), "text": text}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
