"""Measure pages per second and peak memory for files of each family: this project and other readers.

    python -m benchmarks.reading.run --peers PYTHON --unstructured PYTHON [--only speed|ocr|long|whole] [--files N]

Each measurement is a process of its own that reads one file once (`readers.py`). A page is a page, slide or sheet if
the file has them, else 3,000 characters of its text. The third table reads long files under a cap of 1 GB of private
memory (`RLIMIT_DATA`); two of them come from the corpus (one of these repeated), two are written here. The last table
takes the same files as far as the vectors in the store.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmarks.reading import readers

CORPUS = readers.ROOT / "../shared/corpus/documents"
FAMILIES = {
    "PDF": ("pdf/tracemonkey.pdf", "pdf/normal_4pages.pdf", "pdf/pdf2image-memory-error-test-400p.pdf"),
    "DOCX": ("docx/docx_rich_tables_01.docx", "docx/handbook-872p.docx"),
    "PPTX": ("pptx/testPPT_various2.pptx", "pptx/science-exploration-1p.pptx"),
    "XLSX": ("xlsx/xlsx_06_edge_cases_.xlsx", "xlsx/xlsx_04_inflated.xlsx"),
    "HTML": ("html/wiki_duck.html",),
    "EPUB": ("epub/winter-sports.epub",),
    "ODT": ("odt/text_document_02.odt",),
    "mail": ("eml/eng_spa_mult.eml", "msg/testMSG_att_doc.msg"),
    "text": ("txt/UDHR_first_article_all.txt", "txt/book-war-and-peace-1225p.txt"),
}
SCANS = ("pdf_scanned/cardinal.pdf", "pdf_scanned/francais.pdf", "pdf_scanned/pdf_scanned_invoice.pdf")
PAGE_CHARS = 3_000
CAP_BYTES, WHOLE_CAP_MB = 1 << 30, 1_000
CSV_ROWS, XLSX_ROWS, PDF_COPIES = 1_000_000, 200_000, 5


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", default="", help="interpreter with markitdown and kreuzberg")
    parser.add_argument("--unstructured", default="", help="interpreter with unstructured[all-docs]")
    parser.add_argument("--only", choices=("speed", "ocr", "long", "whole"), help="one of the tables")
    parser.add_argument("--files", type=int, default=9, help="at most so many of each family")
    parser.add_argument("--inner", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inner:
        print(json.dumps({"read": _read_capped, "ocr": _ocr}[args.inner[0]](Path(args.inner[1]))))
        return
    print(_machine(), end="\n\n")
    tables = {"speed": lambda: _speed(args), "ocr": _ocr_table, "long": _long_table, "whole": _whole_table}
    for name in [args.only] if args.only else tables:
        tables[name]()


def _speed(args: argparse.Namespace) -> None:
    pythons = {"ours": sys.executable, "unstructured": args.unstructured, "markitdown": args.peers}
    pythons |= {"kreuzberg": args.peers, "pdftotext": sys.executable}
    names = [name for name, python in pythons.items() if python]
    print(f"| family | pages | {' | '.join(f'{name}: pages/s | MB' for name in names)} |")
    print(f"| --- | --: | {' | '.join(['--:'] * 2 * len(names))} |")
    for family, files in FAMILIES.items():
        chosen = files[: args.files]
        results = {name: [readers.measured(name, CORPUS / file, pythons[name]) for file in chosen] for name in names}
        pages = sum(_pages(CORPUS / file, result["text"]) for file, result in zip(chosen, results["ours"], strict=True))
        cells = [f"{pages:.0f}"]
        for name in names:
            if any("error" in result for result in results[name]):
                cells += ["–", "–"]
                continue
            seconds = max(sum(result["seconds"] for result in results[name]), 0.001)
            cells += [f"{pages / seconds:.0f}", f"{max(result['peak_mb'] for result in results[name]):.0f}"]
        print(f"| {family} | {' | '.join(cells)} |", flush=True)
    print()


def _pages(path: Path, text: str) -> float:
    from ingest_assets.parsers.contract import Limits
    from ingest_assets.parsers.detection.media_type import detect
    from ingest_assets.parsers.families import count_pages, parser_for

    parser = parser_for(detect(path, filename=path.name), filename=path.name)
    return count_pages(parser, path, limits=Limits()) or max(len(text) / PAGE_CHARS, 1)


def _ocr_table() -> None:
    print("| scan | pages | pages/min of wall time | of processor time | MB, parent and child |")
    print("| --- | --: | --: | --: | --: |")
    for file in SCANS:
        found = _inner("ocr", CORPUS / file)
        rates = [f"{60 * found['pages'] / found[clock]:.0f}" for clock in ("wall", "seconds")]
        print(f"| {file} | {found['pages']} | {' | '.join(rates)} | {found['peak_mb']:.0f} |", flush=True)
    print()


def _ocr(path: Path) -> dict[str, float]:
    """Read a scan's pages by OCR."""
    from ingest_assets.clients.ocr.rapidocr_captioner import RapidOcrCaptioner
    from ingest_assets.parsers.contract import Limits
    from ingest_assets.parsers.pdf import parser as pdf
    from ingest_assets.stages.caption import caption

    pictures = [picture for part in pdf.read(path, limits=Limits()) for picture in part.pictures]
    data = {picture.sha256: picture.data for picture in pictures}
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with RapidOcrCaptioner() as captioner:
        captions = list(caption(pictures, load=data.__getitem__, captioner=captioner))
        child_mb = captioner.peak_memory_mb
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"pages": len(captions), "wall": wall, "seconds": seconds, "peak_mb": readers.peak_mb() + child_mb}


def _long_table() -> None:
    print("| file | parts | pages or rows | seconds of processor | peak MB |")
    print("| --- | --: | --: | --: | --: |")
    with tempfile.TemporaryDirectory() as folder:
        for name, made in _long_files(Path(folder)):
            found = _inner("read", made())
            cells = (name, found["parts"], found["units"], f"{found['seconds']:.0f}", f"{found['peak_mb']:.0f}")
            print(f"| {' | '.join(map(str, cells))} |", flush=True)


def _whole_table() -> None:
    """Run `ingest add` on the long files under the cap, with the real model and an embedded Chroma."""
    print("| file | end | chunks | seconds | peak MB |")
    print("| --- | --- | --: | --: | --: |")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        instance = yaml.safe_load((readers.ROOT / "dagster.yaml").read_text(encoding="utf-8"))
        instance["run_launcher"]["config"]["memory_limit_mb"] = WHOLE_CAP_MB
        (home / "dagster.yaml").write_text(yaml.safe_dump(instance), encoding="utf-8")
        for name, made in _long_files(Path(folder)):
            path = made()
            _ingest(home, "add", str(path))
            (record,) = (row for row in json.loads(_ingest(home, "files", "--json")) if row["filename"] == path.name)
            cells = (record["state"], f"{record['chunks']:,}", f"{record['seconds']:.0f}", record["peak_memory_mb"])
            print(f"| {name} | {' | '.join(map(str, cells))} |", flush=True)


def _ingest(home: Path, *arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("ingest")), *arguments, "--user", "u", "--project", "p"]
    environment = os.environ | {"DAGSTER_HOME": str(home)}
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment).stdout


def _long_files(folder: Path) -> Iterator[tuple[str, Callable[[], Path]]]:
    yield f"the 400-page manual {PDF_COPIES} times, one PDF", lambda: _long_pdf(folder / "long.pdf")
    yield "870-page DOCX", lambda: CORPUS / "docx/handbook-872p.docx"
    yield f"XLSX of {XLSX_ROWS:,} rows", lambda: _long_xlsx(folder / "long.xlsx")
    yield f"CSV of {CSV_ROWS:,} rows", lambda: _long_csv(folder / "long.csv")


def _long_pdf(path: Path) -> Path:
    from pypdfium2 import PdfDocument

    source = CORPUS / "pdf/pdf2image-memory-error-test-400p.pdf"
    with PdfDocument.new() as many, PdfDocument(source) as once:
        for _ in range(PDF_COPIES):
            many.import_pages(once)
        many.save(path)
    return path


def _rows(count: int) -> Iterator[tuple[object, ...]]:
    yield "number", "station", "rain mm", "gust km/h", "remark"
    for row in range(count):
        yield row, f"station {row % 40}", row % 97 / 10, row % 131, "read at eight in the morning, gauge emptied"


def _long_csv(path: Path) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(_rows(CSV_ROWS))
    return path


def _long_xlsx(path: Path) -> Path:
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("readings")
    for row in _rows(XLSX_ROWS):
        sheet.append(row)
    book.save(path)
    return path


def _read_capped(path: Path) -> dict[str, float]:
    """Read a file under the cap without keeping its text."""
    resource.setrlimit(resource.RLIMIT_DATA, (CAP_BYTES, CAP_BYTES))
    from ingest_assets.parsers.contract import Limits
    from ingest_assets.parsers.detection.media_type import detect
    from ingest_assets.parsers.families import parser_for

    began = time.process_time()
    parser = parser_for(detect(path, filename=path.name), filename=path.name)
    parts = pages = rows = 0
    for part in parser.read(path, limits=Limits()):
        parts, pages, rows = part.number, part.page_number or pages, part.last_row or rows
        if part.problem:
            raise SystemExit(part.problem)
    found = {"parts": parts, "units": rows or pages, "seconds": time.process_time() - began}
    return found | {"peak_mb": readers.peak_mb()}


def _inner(what: str, path: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.reading.run", "--inner", what, str(path)]
    environment = os.environ | {"PYTHONPATH": str(readers.ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"{path.name}: {done.stderr.strip()[-500:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _machine() -> str:
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    load = os.getloadavg()[0]
    machine = (
        f"{os.cpu_count()} cores,{model.partition(':')[2]}, Python {platform.python_version()}, {platform.system()}"
    )
    return f"{machine}; load at the start {load:.1f}"


if __name__ == "__main__":
    main()
