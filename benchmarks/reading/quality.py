"""Compare the text recall of this project's parsers on the corpus with that of other readers.

    python -m benchmarks.reading.quality --peers PYTHON [--unstructured PYTHON] [--docling PYTHON] [--pin FILE] [FILE …]

`--peers` is an interpreter with markitdown, kreuzberg and the libraries that references.py lists, `--unstructured` one
with `unstructured[all-docs]`, `--docling` one with docling; readers without an interpreter are not in the table.
`--pin` writes the sample of the reference for `ingest_assets_tests/parsers/test_recall.py`: digests of runs of words,
without the text of the documents.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

from benchmarks.reading import readers
from testing import words

CORPUS = readers.ROOT / "../shared/corpus/documents"
PICTURES = ("pdf_scanned/", "image/")  # they are read by OCR, which has its own benchmark
EQUAL = 0.005  # a smaller difference of recall counts as equal
_PINNED_RUNS = 100  # per file: enough to distinguish a recall of 97 % from 99 %


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--peers", required=True, help="interpreter with markitdown, kreuzberg and the references' tools"
    )
    parser.add_argument("--unstructured", default="", help="interpreter with unstructured[all-docs]")
    parser.add_argument("--docling", default="", help="interpreter with docling")
    parser.add_argument("--pin", type=Path, help="write the sample of the reference here")
    parser.add_argument("files", nargs="*", help="below the corpus; default: all that can be read without OCR")
    args = parser.parse_args()
    pythons = {"ours": sys.executable, "unstructured": args.unstructured, "markitdown": args.peers}
    pythons |= {"kreuzberg": args.peers, "docling": args.docling, "pdftotext": sys.executable}
    manifest = {row["path"]: row for row in _manifest()}
    names = [name for name, python in pythons.items() if python]
    print(f"| file | reference by | runs | {' | '.join(names)} | |")
    print(f"| --- | --- | --: | {' | '.join(['--:'] * len(names))} | --- |")
    firsts: list[bool] = []
    pinned: list[str] = []
    files = args.files or [path for path, row in manifest.items() if _is_measured(path, row)]
    files = sorted(files, key=lambda file: (CORPUS / file).stat().st_size)
    reading = {name: readers.read_all(name, [CORPUS / file for file in files], pythons[name]) for name in names}
    for file in files:
        results = {name: next(reading[name]) for name in names}
        tool = manifest[file]["phrase_checked_with"]
        reference = _reference(CORPUS / file, tool, manifest[file]["ground_truth_phrase"], args.peers)
        if "error" in reference:
            print(f"| {file} | {tool} | – | no reference: {reference['error']} {'| ' * len(names)}|", flush=True)
            continue
        wanted = words.runs_of(reference["text"])
        recalls = {name: words.recall(result["text"], wanted) for name, result in results.items() if name != tool}
        is_first = recalls["ours"] >= max(recalls.values()) - EQUAL
        firsts.append(is_first)
        cells = [_cell(recalls.get(name), results[name]) for name in names]
        print(f"| {file} | {tool} | {len(wanted)} | {' | '.join(cells)} | {'' if is_first else 'behind'} |", flush=True)
        runs = sorted(words.digest(run) for run in wanted if len(run) == words.RUN)[:_PINNED_RUNS]
        ours = set(map(words.digest, words.runs_of(results["ours"]["text"])))
        pinned.append(f"{file}\t{sum(run in ours for run in runs)}\t{' '.join(runs)}\n")
        if args.pin:
            args.pin.write_text("".join(sorted(pinned)), encoding="utf-8")
    print(f"\nfirst or equal on {sum(firsts)} of {len(firsts)} files, {sum(firsts) / len(firsts):.0%}")


def _reference(path: Path, tool: str, phrase: str, python: str) -> dict[str, str]:
    """Return the `text` that the manifest's tool reads; with an `error` where it read none, or not the phrase."""
    command = [python, str(Path(__file__).with_name("references.py")), str(path), tool, phrase]
    lines = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    return dict(json.loads(lines[-1]))


def _cell(recall: float | None, result: dict[str, object]) -> str:
    if recall is None:
        return "is it"
    return "–" if "error" in result else f"{recall:.3f}"


def _is_measured(path: str, row: dict[str, str]) -> bool:
    return (
        row["expected_outcome"].startswith("ok") and bool(row["ground_truth_phrase"]) and not path.startswith(PICTURES)
    )


def _manifest() -> list[dict[str, str]]:
    with (CORPUS / "MANIFEST.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


if __name__ == "__main__":
    main()
