"""Time small files from the bucket through sensor, queue and launcher until they can be searched.

    python -m benchmarks.launcher.small_files [--files 200] [--default-files 10] [--phases]

A real `dagster-daemon` with its code server works on a fresh home, first with this project's `dagster.yaml`, then with
Dagster's defaults and one run at a time. Assets, sizes of files and the converted model are the same for both. Times
are read from the instance's run records.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import yaml

from ingest_assets.clients.embedding.openvino_conversion import converted
from memory_capped_launcher.outcomes import CPU_TAG
from memory_capped_launcher.supervision.process_tree import descendants
from memory_capped_launcher.warm.protocol import ask

ROOT = Path(__file__).resolve().parents[2]
FILE_BYTES = 2000
DEFAULTS = {
    "concurrency": {"runs": {"max_concurrent_runs": 1}},
    "telemetry": {"enabled": False},
}


@dataclass(frozen=True, slots=True)
class Way:
    """An instance's settings and the definitions that run on it."""

    name: str
    settings: str
    module: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a way took, in seconds."""

    way: Way
    files: int
    first_start_to_last_end: float
    drop_to_last_end: float
    again: int
    """Runs of files that had one already."""
    in_run: float
    """Median, from a run's start to its end."""
    cpu_s: float
    """Median processor time of a run, as the launcher tells it; 0 where it does not."""
    phases: list[tuple[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--default-files", type=int, default=10)
    parser.add_argument("--phases", action="store_true", help="also say where the time goes")
    parser.add_argument("--settings", type=Path, default=ROOT / "dagster.yaml")
    arguments = parser.parse_args()
    ours = Way("this project", arguments.settings.read_text(), "ingest_assets.definitions")
    theirs = Way("Dagster's defaults", yaml.safe_dump(DEFAULTS), "benchmarks.launcher.dagster_defaults")
    print(f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}, ", end="")
    print(f"Python {platform.python_version()}, Dagster {dg.__version__}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        converted(None, cache_dir=models)
        results = [measure(ours, arguments.files, models=models, of_phases=arguments.phases)]
        print_table(results)
        if arguments.phases:
            print_phases(results[0])
        if arguments.default_files:
            results.append(measure(theirs, arguments.default_files, models=models))
            print_table(results)


def measure(way: Way, files: int, *, models: Path, of_phases: bool = False) -> Result:
    """Drop so many files at once into a fresh home's bucket, and wait until the last has been ingested."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "dagster.yaml").write_text(way.settings)
        # Made before the daemon comes: two that make a database at once leave it with two revisions.
        with dg.DagsterInstance.from_config(str(home)) as instance, daemon(way, home, models):
            _until_the_daemon_lives(instance)
            dropped = time.time()
            drop(home / "bucket/b/p", files)
            _until_ended(instance, files)
            time.sleep(3)  # the last run's supervisor tells what it took
            records = [record for record in instance.get_run_records() if record.end_time]
            records.sort(key=lambda record: record.start_time or 0)
            ends = [record.end_time or 0.0 for record in records]
            starts = [record.start_time or 0.0 for record in records]
            cpu = [float(record.dagster_run.tags.get(CPU_TAG, 0)) for record in records]
            return Result(
                way=way,
                files=files,
                again=len(records) - files,
                first_start_to_last_end=max(ends) - min(starts),
                drop_to_last_end=max(ends) - dropped,
                in_run=statistics.median(end - start for start, end in zip(starts, ends, strict=True)),
                cpu_s=statistics.median(cpu),
                phases=phases(instance, [record.dagster_run.run_id for record in records]) if of_phases else [],
            )


@contextmanager
def daemon(way: Way, home: Path, models: Path) -> Iterator[None]:
    """Run Dagster's daemon and its code server on a home, and end everything that came of them."""
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "INGEST_MODEL_CACHE": str(models),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
    }
    command = [str(Path(sys.executable).with_name("dagster-daemon")), "run", "-m", way.module]
    with (home / "daemon.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        yield
    except BaseException:
        print((home / "daemon.log").read_text()[-4000:], file=sys.stderr)
        raise
    finally:
        for path in (home / "launcher/warm").glob("*.sock"):
            ask(path.parent, path.name, {"op": "leave"}, timeout_s=5)
        children = descendants(process.pid)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def drop(folder: Path, files: int) -> None:
    """Write files of distinct text, 2 kB each."""
    folder.mkdir(parents=True)
    rng = random.Random(7)
    words = (ROOT / "samples/log-book.txt").read_text().split()
    for number in range(files):
        text = " ".join(rng.choices(words, k=FILE_BYTES))
        (folder / f"note-{number:04}.txt").write_text("\n".join(textwrap.wrap(text, 78))[: FILE_BYTES - 1] + "\n")


def phases(instance: dg.DagsterInstance, run_ids: list[str]) -> list[tuple[str, float]]:
    """Say how long each part of a run took, in its order: the median over the runs."""
    took: dict[str, list[float]] = {}
    ended: float | None = None
    for run_id in run_ids:
        before, in_charge = ended, False
        for entry in instance.all_logs(run_id):
            event = entry.dagster_event
            if event is None:
                continue
            # What comes before is the sensor's, the queue's and the launch's, while another run was running.
            in_charge = in_charge or (event.message or "").startswith("Memory cap")
            if in_charge and before is not None:
                name = event.step_key or {"PIPELINE_SUCCESS": "its end"}.get(event.event_type_value, "its start")
                name = "the end before to the first event" if before == ended else name
                took.setdefault(name, [0.0] * len(run_ids))[run_ids.index(run_id)] += entry.timestamp - before
            if in_charge:
                before = entry.timestamp
            if event.event_type_value == "PIPELINE_SUCCESS":
                break
        ended = before
    return [(name, statistics.median(seconds)) for name, seconds in took.items()]


def print_table(results: list[Result]) -> None:
    print(f"load {os.getloadavg()[0]:.1f}\n\n| way | files | first start to last end, s a file | times ", end="")
    print("| drop to last end, s a file | a run, median s | its CPU s | runs too many |")
    print("| --- | --: | --: | --: | --: | --: | --: | --: |")
    best = results[0].first_start_to_last_end / results[0].files
    for result in results:
        each = result.first_start_to_last_end / result.files
        cpu = f"{result.cpu_s:.2f}" if result.cpu_s else ""
        print(
            f"| {result.way.name} | {result.files} | {each:.2f} | {each / best:.1f} "
            f"| {result.drop_to_last_end / result.files:.2f} | {result.in_run:.2f} | {cpu} | {result.again} |"
        )


def print_phases(result: Result) -> None:
    print("\n| part of a run | ms |\n| --- | --: |")
    for name, seconds in result.phases:
        print(f"| {name} | {seconds * 1000:.0f} |")


def _until_the_daemon_lives(instance: dg.DagsterInstance) -> None:
    deadline = time.monotonic() + 120
    while "SENSOR" not in instance.get_daemon_heartbeats():
        if time.monotonic() > deadline:
            raise TimeoutError("the daemon did not come up")
        time.sleep(0.2)


def _until_ended(instance: dg.DagsterInstance, files: int) -> None:
    deadline = time.monotonic() + 120 + 40 * files
    finished = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    while instance.get_runs_count(dg.RunsFilter(statuses=finished)) < files:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{files} runs did not end")
        time.sleep(0.5)
    failed = instance.get_runs_count(dg.RunsFilter(statuses=finished[1:]))
    if failed:
        raise RuntimeError(f"{failed} runs failed")


if __name__ == "__main__":
    main()
