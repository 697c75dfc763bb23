"""Name the process that asked for a run, and tell whether it is still there.

A run that the command line asked for has this name as a tag. As long as that process is alive, it decides what happens
after the run has ended; otherwise the sensors decide.
"""

from __future__ import annotations

import os
from pathlib import Path

PROCESS_TAG = "ingest/process"
_START_TIME_FIELD = 19  # proc(5): field 22, counted behind the name in brackets


def this_process() -> str:
    """Return a name for this process that no other process ever has: boot, pid and start time, because pids repeat."""
    return f"{_boot_id()}:{os.getpid()}:{_start_time(os.getpid())}"


def is_alive(name: str) -> bool:
    """Tell whether the process of that name is still there."""
    boot_id, pid, start_time = name.split(":")
    return boot_id == _boot_id() and start_time == _start_time(int(pid))


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _start_time(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[_START_TIME_FIELD]
    except FileNotFoundError:
        return ""
