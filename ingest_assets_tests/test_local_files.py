"""Test that a lock lets one process at a time through, and that a hash is that of the bytes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from ingest_assets.local_files import locked, sha256_of

HOLD = """
import sys
from pathlib import Path
from ingest_assets.local_files import locked
print("waiting", flush=True)
with locked(Path(sys.argv[1])):
    print("held", flush=True)
"""


def test_a_second_process_waits_until_the_first_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lock"
    with locked(path):
        second = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
        assert second.stdout is not None
        assert second.stdout.readline() == "waiting\n"
        assert second.poll() is None
    assert second.stdout.readline() == "held\n"
    assert second.wait(30) == 0
    second.stdout.close()


def test_a_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hello" * 100_000)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"hello" * 100_000).hexdigest()
