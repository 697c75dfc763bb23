"""Measure what a file costs when 10,000 are known, the daemon during a backfill of them, and Dagster's pages.

    python -m benchmarks.bucket.many_files [--known 10000] [--store pgvector] [--part cost backfill pages]

A home on a folder, with the daemon that `ingest daemon` runs. Files of one sentence are put into the bucket twenty at a
time: into the empty home, then into one that knows so many files. Those are copies of a file that ran: object, rows in
the store and the ledger, the index, the partition, and in Dagster's history its run and events, so that every table has
the size that it has after that many runs. Then a backfill of all files goes on for two minutes, in which the gaps
between the looks of each loop of the daemon are read from its log; it is cancelled. Last, a browser opens the page of
an asset and its list of partitions.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import dagster as dg
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from ingest_assets.config.settings import Settings
from ingest_assets.ledger_records import FileRecord
from ingest_assets.project import Project
from ingest_assets.records import EmbeddedChunk
from ingest_assets.wiring import open_store
from testing.browser import new_browser
from testing.polling import until
from testing.postgres import postgres
from testing.servers import free_port

BATCH = 20
BACKFILL_S = 120.0
BIN = Path(sys.executable).parent
_CPU_TAG = "memory_capped/cpu_s"
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--known", type=int, default=10_000)
    parser.add_argument("--store", default="pgvector", choices=["pgvector", "chroma"])
    parser.add_argument("--part", nargs="+", default=["cost", "backfill", "pages"])
    parser.add_argument("--models", type=Path, default=Path(".dagster_home/models"))
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}, load {os.getloadavg()[0]:.1f}\n")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="many-")))
        environment = {"DAGSTER_HOME": str(folder), "INGEST_MODEL_CACHE": str(given.models.absolute())}
        environment |= {"INGEST_STORE": given.store, "INGEST_SETTLE_S": "1"}
        if given.store == "pgvector":
            environment["INGEST_PGVECTOR"] = stack.enter_context(postgres()).new_database()
        home = Home(folder, environment)
        home.ingest("prepare")
        with home.daemon():
            home.run_files("warm", 3)
            first = home.run_files("first", BATCH)
        home.multiply("first", given.known, in_history_alone=given.part == ["pages"])
        if "cost" in given.part:
            print("| known files | seconds a file | processor of its run, s | processor of daemon and code, s |")
            print("| ---: | ---: | ---: | ---: |")
            print(first.row(0), flush=True)
            with home.daemon():
                home.run_files("again", 3)
                print(home.run_files("last", BATCH).row(given.known), flush=True)
        if "backfill" in given.part:
            show_backfill(home)
        if "pages" in given.part:
            show_pages(home)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one of a batch of files took."""

    wall_s: float
    run_s: float
    others_s: float

    def row(self, known: int) -> str:
        return f"| {known:,} | {self.wall_s:.2f} | {self.run_s:.2f} | {self.others_s:.2f} |"


class Home:
    """A home with its bucket, in which files of one user and project lie."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment
        self.bucket = folder / "bucket" / "ann" / "p"
        os.environ.update(environment)
        self.project = Project(Settings.model_validate(environment), prepares=False)

    def ingest(self, *words: str) -> str:
        done = subprocess.run([str(BIN / "ingest"), *words], capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def daemon(self) -> Iterator[None]:
        with (self.folder / "daemon.log").open("ab") as log:
            process = subprocess.Popen([str(BIN / "ingest"), "daemon"], stdout=log, stderr=log)
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(120)

    def run_files(self, word: str, count: int) -> Cost:
        """Put files into the bucket at once, wait until the last is in the store, and return what one of them took."""
        self.bucket.mkdir(parents=True, exist_ok=True)
        names = [f"{word}-{number:05}.md" for number in range(count)]
        before, began = self._processor_s(), time.monotonic()
        for name in names:
            (self.bucket / name).write_text(f"# {name}\n\nThe ferry {name} leaves from the north quay at noon.\n")
        until(lambda: all(map(self._is_done, names)), what=f"the files {word} are in the store", timeout_s=900)
        wall_s, others_s = time.monotonic() - began, self._processor_s() - before
        run_s = statistics.mean(
            until(partial(self._run_s, name), what=f"the run of {name} is accounted") for name in names
        )
        return Cost(wall_s / count, run_s, others_s / count)

    def _run_s(self, name: str) -> float:
        """Return the processor time of a file's last run; 0 before its supervisor has noted it."""
        with dg.DagsterInstance.from_config(str(self.folder)) as instance:
            (run,) = instance.get_runs(dg.RunsFilter(tags={"dagster/partition": f"ann:p:{name}"}), limit=1)
        return float(run.tags.get(_CPU_TAG, 0))

    def multiply(self, word: str, count: int, *, in_history_alone: bool) -> None:
        """Make copies of a file that ran until so many files are known; of its history alone, those of one asset."""
        pattern = f"{word}-00000.md"
        names = [f"copy-{number:05}.md" for number in range(count)]
        if not in_history_alone:
            text = (self.bucket / pattern).read_text()
            for name in names:
                (self.bucket / name).write_text(text)
            copy_in_store(self.project, pattern, names)
            self.project.rebuild_index()
        with dg.DagsterInstance.from_config(str(self.folder)) as instance:
            (run,) = instance.get_runs(dg.RunsFilter(tags={"dagster/partition": f"ann:p:{pattern}"}))
            instance.add_dynamic_partitions("files", [f"ann:p:{name}" for name in names])
        tables = {"runs.db": ("runs", "run_tags"), "runs/index.db": ("event_logs", "asset_check_executions")}
        of_asset = " and asset_key = '[\"embeddings\"]'" if in_history_alone else ""
        copies = [(f"{number:08x}{run.run_id[8:]}", name) for number, name in enumerate(names)]
        for path, listed in tables.items():
            with closing(sqlite3.connect(self.folder / "history" / path)) as database, database:
                for table in listed:
                    where = f"run_id = '{run.run_id}'{of_asset if path == 'runs/index.db' else ''}"
                    copy_rows(database, table, where, {run.run_id: 0, pattern: 1}, copies)

    def _is_done(self, name: str) -> bool:
        row = self.project.index.row(f"ann:p:{name}")
        return row is not None and row.state == "succeeded"

    def _processor_s(self) -> float:
        """Return the processor time of the daemon, the process with the code, and the warm process, so far."""
        mark = f"DAGSTER_HOME={self.folder}".encode()
        kinds = (b"dagster._daemon", b"api", b"warm_process")
        total = 0.0
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words, environment = process.joinpath("cmdline").read_bytes().split(b"\0"), process / "environ"
                if any(kind in words for kind in kinds) and mark in environment.read_bytes():
                    total += sum(map(int, process.joinpath("stat").read_text().rsplit(") ")[1].split()[11:13]))
            except OSError:
                continue
        return total / _TICKS_PER_S


def copy_in_store(project: Project, pattern: str, names: Sequence[str]) -> None:
    """Publish a file's chunks again under other names."""
    store = open_store(project.settings)
    record = store.file(f"ann:p:{pattern}")
    assert record is not None
    rows = list(store.rows(record.file_id))
    for name in names:
        file_id = f"ann:p:{name}"
        chunks = [
            EmbeddedChunk(replace(row.chunk, file_id=file_id), row.vector, row.model)
            for row in rows
            if row.vector is not None
        ]
        store.replace(renamed(record, name, project), chunks)
    store.close()


def renamed(record: FileRecord, name: str, project: Project) -> FileRecord:
    key = f"ann/p/{name}"
    there = project.bucket.stat(key)
    assert there is not None
    return replace(record, file_id=f"ann:p:{name}", filename=name, key=key, version=there.version, generation=0)


def copy_rows(
    database: sqlite3.Connection, table: str, where: str, names: dict[str, int], copies: Sequence[tuple[str, str]]
) -> None:
    """Copy rows of a table; each name in them becomes the one that stands at its place in each copy's names."""
    columns = [row[1] for row in database.execute(f"pragma table_info({table})") if row[1] != "id"]
    listed = ", ".join(f'"{column}"' for column in columns)
    rows = database.execute(f"select {listed} from {table} where {where}").fetchall()
    insert = f"insert into {table} ({listed}) values ({', '.join('?' * len(columns))})"
    for copy in copies:
        database.executemany(insert, [[renamed_in(value, names, copy) for value in row] for row in rows])


def renamed_in(value: object, names: dict[str, int], copy: tuple[str, str]) -> object:
    if isinstance(value, str):
        for name, place in names.items():
            value = value.replace(name, copy[place])
    return value


def show_backfill(home: Home) -> None:
    """Ask for a backfill of all files and say how long the daemon's loops waited for each other meanwhile."""
    log = home.folder / "daemon.log"
    with home.daemon():
        home.run_files("warm-again", 3)
        time.sleep(30)
        began = datetime.now().astimezone()
        time.sleep(BACKFILL_S)
        idle = gaps(log, since=began)
        began = datetime.now().astimezone()
        backfill = json.loads(home.ingest("backfill", "--all", "--json"))
        time.sleep(BACKFILL_S)
        busy = gaps(log, since=began)
        with dg.DagsterInstance.from_config(str(home.folder)) as instance:
            filters = dg.RunsFilter(tags={"dagster/backfill": backfill["backfill_id"]})
            runs = instance.get_runs(filters)
        home.ingest("backfill", "--cancel", backfill["backfill_id"])
    ended = sum(run.status is dg.DagsterRunStatus.SUCCESS for run in runs)
    print(f"\nA backfill of all: after {BACKFILL_S:.0f} s {len(runs)} runs were asked for, {ended} had ended.\n")
    print("| loop | looks, idle | longest gap, s | looks, in the backfill | longest gap, s |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for loop in sorted(idle.keys() | busy.keys()):
        print(f"| {loop} | {said(idle.get(loop, []))} | {said(busy.get(loop, []))} |", flush=True)


def said(gaps_s: Sequence[float]) -> str:
    return f"{len(gaps_s) + 1} | {max(gaps_s):.0f}" if gaps_s else "– | –"


def gaps(log: Path, *, since: datetime) -> dict[str, list[float]]:
    """Return the seconds between the log's lines of each sensor and of each other loop of the daemon."""
    last: dict[str, datetime] = {}
    found: dict[str, list[float]] = {}
    for line in log.read_text().splitlines():
        if not line.startswith("{"):
            continue
        entry = json.loads(line)
        event, logger = str(entry.get("event", "")), str(entry.get("logger", ""))
        if event.startswith("Checking for new runs for sensor: "):
            loop = event.removeprefix("Checking for new runs for ")
        elif logger.endswith("BackfillDaemon") or event.startswith("Launched"):
            loop = logger.rsplit(".", 1)[-1]
        else:
            continue
        at = datetime.fromisoformat(entry["timestamp"])
        if at >= since:
            if loop in last:
                found.setdefault(loop, []).append((at - last[loop]).total_seconds())
            last[loop] = at
    return found


def show_pages(home: Home) -> None:
    """Open Dagster's pages of one asset in a browser and say how long they take to be there."""
    port = free_port()
    command = [str(BIN / "dagster-webserver"), "-m", "ingest_assets.definitions", "-h", "127.0.0.1", "-p", str(port)]
    with (home.folder / "web.log").open("ab") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    browser = new_browser()
    try:
        until(
            lambda: "Serving dagster-webserver" in (home.folder / "web.log").read_text(), what="the web server serves"
        )
        with dg.DagsterInstance.from_config(str(home.folder)) as instance:
            partitions = len(instance.get_dynamic_partitions("files"))
        print(f"\n| page, with {partitions:,} partitions | first time, s | again, s |\n| --- | ---: | ---: |")
        for name, path, words in (
            ("the asset `embeddings`", "/assets/embeddings", "Latest"),
            ("its list of partitions", "/assets/embeddings?view=partitions", "ann:p:"),
        ):
            seconds = [seconds_until(browser, f"http://127.0.0.1:{port}{path}", words) for _ in range(2)]
            print(f"| {name} | {seconds[0]:.1f} | {seconds[1]:.1f} |", flush=True)
            browser.save_screenshot(str(home.folder.parent / f"{name.split()[-1].strip('`')}.png"))
    finally:
        browser.quit()
        server.send_signal(signal.SIGTERM)
        server.wait(120)


def seconds_until(browser: Chrome, url: str, words: str) -> float:
    """Return the seconds until a page shows some words."""
    browser.get("about:blank")
    began = time.monotonic()
    browser.get(url)
    WebDriverWait(browser, 120, poll_frequency=0.1).until(
        lambda page: words in page.find_element(By.TAG_NAME, "body").text
    )
    return time.monotonic() - began


if __name__ == "__main__":
    main()
