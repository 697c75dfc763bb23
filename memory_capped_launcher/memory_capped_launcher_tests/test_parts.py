"""Test the small parts: the names of ends, the log file, the tree of processes and its memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from memory_capped_launcher.outcomes import ProcessEnd, RunOutcome, name_outcome
from memory_capped_launcher.supervision.log_file import LogFile, keep_the_newest
from memory_capped_launcher.supervision.process_tree import MemoryGauge
from memory_capped_launcher.warm.background import fork

QUIET = ProcessEnd(
    exit_code=0, over_cap=False, timed_out=False, cancelled=False, kernel_killed=False, printed_memory_words=False
)


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [
        (QUIET, None),
        (replace(QUIET, exit_code=1, printed_memory_words=True), None),
        (replace(QUIET, exit_code=-9), RunOutcome.LOST),
        (replace(QUIET, exit_code=-9, kernel_killed=True), RunOutcome.OUT_OF_MEMORY),
        (replace(QUIET, exit_code=-9, over_cap=True, cancelled=True), RunOutcome.OUT_OF_MEMORY),
        (replace(QUIET, exit_code=-9, timed_out=True), RunOutcome.TIMED_OUT),
        (replace(QUIET, exit_code=-6, printed_memory_words=True), RunOutcome.OUT_OF_MEMORY),
        (replace(QUIET, exit_code=-15, cancelled=True), RunOutcome.CANCELLED),
        (replace(QUIET, exit_code=-15), RunOutcome.LOST),
        (replace(QUIET, exit_code=-5), RunOutcome.OUT_OF_MEMORY),
    ],
)
def test_every_end_has_its_name(ending: ProcessEnd, outcome: RunOutcome | None) -> None:
    assert name_outcome(ending, cap_mb=500, timeout_s=1.0, peak_mb=480.0)[0] is outcome


def printed(path: Path, text: bytes) -> LogFile:
    log = LogFile(path)
    pid = os.fork()
    if pid == 0:
        log.attach()
        rest = memoryview(text)
        while rest:
            rest = rest[os.write(1, rest) :]
        os._exit(0)
    log.detach()
    while log.drain():
        pass
    os.waitpid(pid, 0)
    return log


def test_what_a_run_prints_is_kept(tmp_path: Path) -> None:
    printed(tmp_path / "logs/r.log", b"hello\n").close()
    assert (tmp_path / "logs/r.log").read_bytes() == b"hello\n"


def test_a_run_that_prints_nothing_leaves_no_file(tmp_path: Path) -> None:
    printed(tmp_path / "r.log", b"").close()
    assert not (tmp_path / "r.log").exists()


def test_a_run_that_prints_without_end_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    log = printed(tmp_path / "r.log", b"first\n" + b"x" * (9 << 20) + b"\nstd::bad_alloc")
    assert log.mentions((b"bad_alloc",))
    log.close()
    text = (tmp_path / "r.log").read_bytes()
    assert text.startswith(b"first")
    assert text.endswith(b"bad_alloc")
    assert len(text) < 5 << 20
    assert b"bytes left out" in text


def test_only_the_newest_logs_are_kept(tmp_path: Path) -> None:
    for number in range(505):
        (tmp_path / f"{number}.log").touch()
        os.utime(tmp_path / f"{number}.log", (number, number))
    keep_the_newest(tmp_path)
    assert len(list(tmp_path.iterdir())) == 500
    assert not (tmp_path / "4.log").exists()


def test_every_descendant_is_found_and_killed() -> None:
    """In a process of its own: this one has the servers of other tests as children."""
    program = (
        "import os, subprocess\n"
        "from memory_capped_launcher.supervision.process_tree import descendants, kill_descendants\n"
        "script = \"trap '' TERM; sleep 60 & sleep 60 & echo; wait\"\n"
        "shell = subprocess.Popen(['/bin/sh', '-c', script], stdout=subprocess.PIPE)\n"
        "shell.stdout.readline()\n"
        "print(len(descendants(os.getpid())), kill_descendants(os.getpid()), descendants(os.getpid()))\n"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True, timeout=60) == "3 True []\n"


def test_memory_shared_after_a_fork_counts_once() -> None:
    kept = bytearray(b"x") * (64 << 20)
    pids = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            signal.pause()
            os._exit(len(kept) % 2)
        pids.append(pid)
    gauge = MemoryGauge(cap_mb=1)
    gauge.over_cap([os.getpid(), *pids])
    alone = MemoryGauge(cap_mb=1)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    alone.over_cap([os.getpid()])
    assert gauge.peak_mb < 1.5 * alone.peak_mb, "each page in full would be four times as much"


@pytest.fixture
def on_a_disk() -> Iterator[Path]:
    """A folder that is not in memory: a mapped file that lies in memory counts as memory."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield Path(folder)


def test_mapped_files_count_neither_for_the_cap_nor_for_the_peak(on_a_disk: Path) -> None:
    (on_a_disk / "weights").write_bytes(b"x" * (300 << 20))
    code = (
        "import mmap, sys\n"
        "file = open(sys.argv[1])\n"
        "mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)\n"
        "kept = bytearray(b'x') * (20 << 20), sum(mapped[::4096])\n"
        "print('mapped', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(on_a_disk / "weights")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        resident_pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        gauge = MemoryGauge(cap_mb=200)
        over_cap = [gauge.over_cap([process.pid]) for _ in range(2)]
        process.communicate()
    assert resident_pages * os.sysconf("SC_PAGE_SIZE") > 300 << 20
    assert over_cap == [False, False]
    assert 20 < gauge.peak_mb < 60


def test_a_crash_far_below_the_cap_is_not_called_out_of_memory() -> None:
    crashed = replace(QUIET, exit_code=-11)
    assert name_outcome(crashed, cap_mb=500, timeout_s=1.0, peak_mb=120.0)[0] is RunOutcome.LOST


def test_a_child_that_cannot_say_its_last_words_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warm process's output is a file, and its disk may be full."""

    def fail() -> None:
        raise ValueError("no")

    with Path("/dev/full").open("w", buffering=1) as full:
        monkeypatch.setattr(sys, "stderr", full)
        pid = fork(fail, close=[])
        monkeypatch.undo()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
