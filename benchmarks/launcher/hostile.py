"""Ingest hostile files and a very long one under small caps; tell how each ends, in how many attempts, at what peak.

    python -m benchmarks.launcher.hostile ../shared/corpus/documents [--caps 1500 1000 700]

Each cap has a fresh home. The files go through `ingest add` one after another, as a person gives them: the corpus's
hostile files, its 870-page DOCX, and a PDF made here with a page that needs some 1.5 GB to be read. Peak and attempts
are read from the instance's run records; seconds are the sum over a file's runs.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import yaml

from ingest_assets.clients.embedding.openvino_conversion import converted
from ingest_assets.config.settings import Settings
from ingest_assets.defs.queue.busy_files import PARTITION_TAG
from ingest_assets.ledger_records import FileRecord, Scope
from ingest_assets.project import Project
from memory_capped_launcher.outcomes import OUTCOME_TAG, PEAK_TAG
from memory_capped_launcher.register import Register
from memory_capped_launcher.warm.protocol import ask
from testing.pdf_bomb import pdf

ROOT = Path(__file__).resolve().parents[2]
LONG = "docx/handbook-872p.docx"
MADE = "made: page 13 of 20 explodes.pdf"
PATHS = 10_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """How one file ended under one cap."""

    record: FileRecord
    outcomes: tuple[str, ...]
    peak_mb: float
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("documents", type=Path)
    parser.add_argument("--caps", type=int, nargs="+", default=[1500, 1000, 700])
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}, ", end="")
    print(f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}\n")
    with tempfile.TemporaryDirectory() as folder:
        models, files = Path(folder) / "models", Path(folder) / "files"
        converted(None, cache_dir=models)
        lay_out(arguments.documents, files)
        results = {cap: measure(files, cap_mb=cap, models=models) for cap in arguments.caps}
    tell(results)


def lay_out(documents: Path, files: Path) -> None:
    """Gather the files whose end the manifest does not call plainly `ok`, those of `pdf_hostile`, and the long one."""
    files.mkdir()
    with (documents / "MANIFEST.tsv").open(encoding="utf-8") as manifest:
        for row in csv.DictReader(manifest, delimiter="\t"):
            if row["path"] == LONG or row["path"].startswith("pdf_hostile/") or row["expected_outcome"] != "ok":
                shutil.copy(documents / row["path"], files / row["path"].replace("/", " "))
    (files / MADE).write_bytes(pdf(20, exploding=[13], paths=PATHS))


def measure(files: Path, *, cap_mb: int, models: Path) -> dict[str, Row]:
    """Ingest the files under one cap, and return how each ended, by its name."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        shipped = yaml.safe_load((ROOT / "dagster.yaml").read_text())
        shipped["run_launcher"]["config"]["memory_limit_mb"] = cap_mb
        (home / "dagster.yaml").write_text(yaml.safe_dump(shipped))
        settings = {"DAGSTER_HOME": str(home), "INGEST_MODEL_CACHE": str(models)}
        command = [str(Path(sys.executable).with_name("ingest")), "add", str(files), "--user", "u", "--project", "p"]
        subprocess.run(command, env={**os.environ, **settings}, check=False, stdout=subprocess.DEVNULL)
        with dg.DagsterInstance.from_config(str(home)) as instance:
            runs = defaultdict(list)
            for record in instance.get_run_records(ascending=True):
                runs[record.dagster_run.tags[PARTITION_TAG]].append(record)
        store = Project(Settings.model_validate(settings)).store
        ledger = {one.filename: one for one in store.files(Scope("u", "p"), limit=1000)}
        store.close()
        if left := Register(home / "launcher").run_ids():
            raise RuntimeError(f"left behind: {left}")
        for path in (home / "launcher/warm").glob("*.sock"):
            ask(path.parent, path.name, {"op": "leave"}, timeout_s=5)
        return {
            name: Row(
                record=ledger[name],
                outcomes=tuple(run.dagster_run.tags[OUTCOME_TAG] for run in runs[ledger[name].file_id]),
                peak_mb=max((float(run.dagster_run.tags[PEAK_TAG]) for run in runs[ledger[name].file_id]), default=0.0),
                seconds=sum((run.end_time or 0) - (run.start_time or 0) for run in runs[ledger[name].file_id]),
            )
            for name in sorted(path.name for path in files.iterdir())
        }


def tell(results: dict[int, dict[str, Row]]) -> None:
    """Print the table: files down, caps across."""
    caps = list(results)
    print("| file | end | " + " | ".join(f"{cap} MB: attempts, peak MB, s" for cap in caps) + " |")
    print("| --- | --- |" + " --: |" * len(caps))
    for name in results[caps[0]]:
        rows = [results[cap][name] for cap in caps]
        ends = " / ".join(dict.fromkeys(_end(row.record) for row in rows))
        print(f"| {name} | {ends} | " + " | ".join(_cells(row) for row in rows) + " |")
    print()
    for cap in caps:
        print(f"{cap} MB:", dict(Counter(outcome for row in results[cap].values() for outcome in row.outcomes)))


def _end(record: FileRecord) -> str:
    return f"{record.state.value}, {record.chunks} chunks" if record.chunks else record.state.value


def _cells(row: Row) -> str:
    return f"{len(row.outcomes)}, {row.peak_mb:.0f}, {row.seconds:.1f}"


if __name__ == "__main__":
    main()
