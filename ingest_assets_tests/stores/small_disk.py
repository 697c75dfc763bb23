"""Put a small file system in the place of a folder, as long as a block lasts."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, *, size_mb: int) -> Iterator[None]:
    """Mount a file system over a folder; the test is skipped where that may not be."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=0755", "tmpfs", str(folder)]
    mounted = subprocess.run(command, check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def make_room(folder: Path, *, size_mb: int) -> None:
    """Let the file system that is mounted there be larger."""
    subprocess.run(["mount", "-o", f"remount,size={size_mb}m", str(folder)], check=True)
