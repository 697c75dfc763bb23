from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from ingest_assets.buckets.spool import Spool
from ingest_assets.errors import BadInput, OutsideError

ROOT = Path(__file__).resolve().parents[2]


def filling(data: bytes, count: list[int] | None = None) -> Callable[[BinaryIO], None]:
    def fill(file: BinaryIO) -> None:
        file.write(data)
        if count is not None:
            count.append(1)

    return fill


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def test_a_copy_is_made_once_for_all_stages_of_a_process(tmp_path: Path) -> None:
    spool, made = Spool(tmp_path, max_bytes=100), list[int]()
    for _ in range(3):
        with spool.copy("a.txt", size_bytes=5, key="a", fill=filling(b"hello", made)) as path:
            assert path.read_bytes() == b"hello"
    assert len(made) == 1


def test_a_process_leaves_the_copy_that_it_read_last_and_its_end_removes_that_too(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=100)
    for name in ("a", "b"):
        with spool.copy(name, size_bytes=5, key=name, fill=filling(b"hello")):
            pass
    assert names(tmp_path) == ["b"]
    del spool
    assert names(tmp_path) == []


def test_a_file_larger_than_the_spool_is_refused_by_name(tmp_path: Path) -> None:
    with (
        pytest.raises(BadInput, match=r"ann/p/film.mov: 2\.0 MB is more than the 1 MB of the spool.*INGEST_SPOOL_MB"),
        Spool(tmp_path, max_bytes=1_000_000).copy("x", size_bytes=2_000_000, key="ann/p/film.mov", fill=filling(b"")),
    ):
        pass


def test_copies_in_use_keep_their_room_and_idle_ones_make_room(tmp_path: Path) -> None:
    first, second = Spool(tmp_path, max_bytes=10), Spool(tmp_path, max_bytes=10, wait_s=0)
    with first.copy("a", size_bytes=6, key="a", fill=filling(b"sixsix")):
        with (
            pytest.raises(OutsideError, match="b: it was not read"),
            second.copy("b", size_bytes=6, key="b", fill=filling(b"sixsix")),
        ):
            pass
        assert names(tmp_path) == ["a"]
    with second.copy("b", size_bytes=6, key="b", fill=filling(b"sixsix")):
        assert names(tmp_path) == ["b"]


def test_a_process_that_waits_for_room_goes_on_when_another_is_done(tmp_path: Path) -> None:
    first, second, read = Spool(tmp_path, max_bytes=10), Spool(tmp_path, max_bytes=10), []

    def wait() -> None:
        with second.copy("b", size_bytes=6, key="b", fill=filling(b"second")) as path:
            read.append(path.read_bytes())

    with first.copy("a", size_bytes=6, key="a", fill=filling(b"first!")) as path:
        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join(0.5)
        assert read == []
        assert path.read_bytes() == b"first!"
    waiting.join(30)
    assert read == [b"second"]


def test_a_download_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(file: BinaryIO) -> None:
        file.write(b"half")
        raise OutsideError("the network is down")

    with (
        pytest.raises(OutsideError, match="down"),
        Spool(tmp_path, max_bytes=10).copy("a", size_bytes=8, key="a", fill=fail),
    ):
        pass
    assert names(tmp_path) == []


HOLD = """
import sys
from pathlib import Path
from ingest_assets.buckets.spool import Spool
def fill(file):
    file.write(b"half" if sys.argv[2] == "half" else b"whole!")
    file.flush()
    if sys.argv[2] == "half":
        print("there", flush=True)
        sys.stdin.read()
with Spool(Path(sys.argv[1]), max_bytes=10).copy("a", size_bytes=6, key="a", fill=fill):
    print("there", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("moment", ["half", "whole"])
def test_what_a_killed_process_held_is_free_at_once(tmp_path: Path, moment: str) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path), moment],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"there\n"
    spool = Spool(tmp_path, max_bytes=10, wait_s=0)
    with pytest.raises(OutsideError), spool.copy("b", size_bytes=6, key="b", fill=filling(b"second")):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.communicate(timeout=30)
    with spool.copy("b", size_bytes=6, key="b", fill=filling(b"second")) as path:
        assert path.read_bytes() == b"second"
    assert names(tmp_path) == ["b"]


def test_a_copy_that_a_killed_run_left_serves_its_next_attempt(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    with Spool(tmp_path, max_bytes=10).copy("a", size_bytes=5, key="a", fill=filling(b"not asked for")) as path:
        assert path.read_bytes() == b"hello"


def test_a_copy_that_was_not_used_for_long_is_removed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")
    os.utime(tmp_path / "old", (0, time.time() - 1000))
    with Spool(tmp_path, max_bytes=100).copy("a", size_bytes=5, key="a", fill=filling(b"hello")):
        assert names(tmp_path) == ["a"]
