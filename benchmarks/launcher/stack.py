"""Measure what web server, daemon, code server, warm process and run hold together, idle and at the peak.

    python -m benchmarks.launcher.stack ../shared/corpus/documents/pdf/pdf2image-memory-error-test-400p.pdf

The home is fresh and has the shipped dagster.yaml, with the cap that a host of 4096 MB would give. The stack is
`dagster dev`, as `make dev` and the container image start it. A small file is ingested first, so that the warm process
exists. When nothing has run for a while, the document is copied into the bucket. Memory is the sum of PSS over all
processes of the home, sampled until the run is over and its process is gone.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from ingest_assets.config.settings import Settings
from ingest_assets.ledger_records import FileRecord
from ingest_assets.project import Project
from memory_capped_launcher.host.stack import Role, RoleMemory, stack_of, sum_up
from memory_capped_launcher.limits import LauncherConfig
from memory_capped_launcher.register import Register

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
HOST_MB = 4096
CAP_MB = HOST_MB - LauncherConfig().reserve_mb
SAMPLE_S = 0.25
IDLE_S = 30.0
GOODBYE_S = 3.0
SMALL = "note.txt"


@dataclass
class Sampler:
    """What the home's processes hold, four times a second."""

    home: Path
    samples: list[list[RoleMemory]] = field(default_factory=list)
    failed: list[Exception] = field(default_factory=list)

    @contextmanager
    def sampling(self) -> Iterator[None]:
        """Sample for as long as the context lasts; a look that fails fails the measurement."""
        over = threading.Event()
        thread = threading.Thread(target=self._sample, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        if self.failed:
            raise self.failed[0]

    def _sample(self, over: threading.Event) -> None:
        try:
            looked = time.monotonic()
            while not over.wait(max(0.0, looked + SAMPLE_S - time.monotonic())):
                looked = time.monotonic()
                self.samples.append(sum_up(stack_of(self.home)))
        except Exception as error:  # noqa: BLE001 - told where the context ends
            self.failed.append(error)

    @property
    def peak(self) -> list[RoleMemory]:
        """The sample with the largest sum."""
        return max(self.samples, key=_total)

    def highest(self, role: Role) -> float:
        """The most that one role ever held."""
        return max((_of(sample, role) for sample in self.samples), default=0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("document", type=Path)
    document = parser.parse_args().document
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        settings = Settings.model_validate({"DAGSTER_HOME": home})
        prepare(home)
        with stack(home):
            workshop = Project(settings)
            ingest(workshop, SMALL, b"The lamp was lit at dusk and put out at dawn.\n")
            idle, busy = Sampler(home), Sampler(home)
            time.sleep(IDLE_S)
            with idle.sampling():
                time.sleep(IDLE_S)
            with busy.sampling():
                began = time.monotonic()
                record = ingest(workshop, document.name, document.read_bytes())
                seconds = time.monotonic() - began
                time.sleep(GOODBYE_S)
            workshop.store.close()
    tell(idle, busy, record=record, seconds=seconds)


def prepare(home: Path) -> None:
    """Make a home with the shipped settings, the cap of a small host, and the model."""
    shipped = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    shipped["run_launcher"]["config"]["memory_limit_mb"] = CAP_MB
    (home / "dagster.yaml").write_text(yaml.safe_dump(shipped))
    subprocess.run([str(BIN / "ingest"), "prepare"], env=environment(home), check=True, stdout=subprocess.DEVNULL)


@contextmanager
def stack(home: Path) -> Iterator[None]:
    """Start the web server, the daemon and the code server, and end them."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    command = [str(BIN / "dagster"), "dev", "--workspace", "workspace.yaml", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "dev.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment(home), stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        shutil.rmtree(home / "launcher/warm", ignore_errors=True)  # the warm process leaves when its folder is gone
        until(lambda: not stack_of(home), what="the end of the stack")


def ingest(workshop: Project, name: str, content: bytes) -> FileRecord:
    """Drop a file into the bucket, under its name once it is whole, and wait until its run is over."""
    target = workshop.settings.home / "bucket/b/p" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.with_name(f"{name}.part").write_bytes(content)
    target.with_name(f"{name}.part").rename(target)
    until(lambda: workshop.store.file(f"b:p:{name}") is not None, what=f"{name} in the store")
    register = Register(workshop.settings.home / "launcher")
    until(lambda: not register.run_ids(), what="the end of the run")
    record = workshop.store.file(f"b:p:{name}")
    assert record is not None
    assert record.state.value == "succeeded", record.error
    return record


def tell(idle: Sampler, busy: Sampler, *, record: FileRecord, seconds: float) -> None:
    """Print the table."""
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, ", end="")
    print(f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}\n")
    print("| role | processes | idle, MB | at the peak of the sum, MB | own highest, MB |")
    print("| --- | --: | --: | --: | --: |")
    for role in Role:
        if highest := max(idle.highest(role), busy.highest(role)):
            count = sum(held.processes for held in busy.peak if held.role is role)
            row = f"{_of(idle.peak, role):.0f} | {_of(busy.peak, role):.0f} | {highest:.0f}"
            print(f"| {role} | {count} | {row} |")
    whole, count = _total(busy.peak), sum(held.processes for held in busy.peak)
    print(f"| **all** | {count} | **{_total(idle.peak):.0f}** | **{whole:.0f}** | |")
    print(f"\n{record.filename}: {record.pages} pages, {record.pictures} pictures, {record.chunks} chunks; ", end="")
    print(f"{seconds:.0f} s from its arrival to the end of its run, {len(busy.samples)} samples; cap {CAP_MB} MB.")
    print(f"{'Within' if whole <= HOST_MB else 'NOT within'} {HOST_MB} MB.")


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "DAGSTER_HOME": str(home), "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}


def until(holds: Callable[[], bool], *, what: str, within_s: float = 3600.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within_s:.0f} s: {what}")
        time.sleep(0.2)


def _of(sample: list[RoleMemory], role: Role) -> float:
    return sum(held.pss_mb for held in sample if held.role is role)


def _total(sample: list[RoleMemory]) -> float:
    return sum(held.pss_mb for held in sample)


if __name__ == "__main__":
    main()
