"""Test that the peak memory of a stage is what a cap counts: of the process and its children, without mapped files."""

from __future__ import annotations

import mmap
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ingest_assets.artifacts.costs import measured

MB = 1 << 20


@pytest.fixture(scope="module")
def without_work() -> float:
    """Return the peak that this process has without doing anything."""
    with measured() as cost:
        pass
    return cost.peak_memory_mb


def test_a_large_file_that_is_mapped_does_not_count(on_a_disk: Path, without_work: float) -> None:
    (on_a_disk / "weights").write_bytes(b"x" * (400 * MB))
    with (
        (on_a_disk / "weights").open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as pages,
        measured() as cost,
    ):
        assert sum(pages[:: mmap.PAGESIZE]) > 0  # reads every page
    assert cost.peak_memory_mb < without_work + 100


def test_memory_that_was_given_back_before_the_end_counts(without_work: float) -> None:
    deadline = time.monotonic() + 60
    with measured() as cost:
        kept = bytearray(b"x") * (200 * MB)
        while cost.peak_memory_mb < without_work + 150:
            assert time.monotonic() < deadline
        del kept
    assert cost.peak_memory_mb < without_work + 300


def test_memory_of_a_child_counts(without_work: float) -> None:
    code = "import sys; kept = bytearray(b'x') * (200 << 20); print(len(kept), flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1) as child:
        assert child.stdout is not None
        with measured() as cost:
            child.stdout.readline()
        child.communicate()
    assert without_work + 150 < cost.peak_memory_mb < without_work + 300


def test_seconds_are_those_of_the_work() -> None:
    with measured() as cost:
        began = time.perf_counter()
        sum(range(100_000))
        took = time.perf_counter() - began
    assert cost.seconds >= took
