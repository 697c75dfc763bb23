"""A stage's work in, its seconds and peak memory out.

Linux keeps a high-water mark of a process' resident memory (VmHWM) that can be set back, so each stage has a peak of
its own; where it cannot be set back, the peak is the process' so far. Children are not in it: what the kernel tells of
them (`ru_maxrss`) holds the parent's pages from before they became another program, so a child says its peak itself.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # proc(5): "write 5: reset the peak resident set size"


@dataclass(slots=True)
class Cost:
    """What a piece of work took; filled in when it ends."""

    seconds: float = 0.0
    peak_memory_mb: float = 0.0


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure the work done inside the context."""
    cost = Cost()
    _reset_peak()
    began = time.perf_counter()
    try:
        yield cost
    finally:
        cost.seconds = time.perf_counter() - began
        cost.peak_memory_mb = peak_memory_mb()


def peak_memory_mb() -> float:
    """Return this process' peak resident memory since the mark was last set back."""
    try:
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        own_kb = int(line.split()[1])
    except (OSError, StopIteration):
        own_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return own_kb / 1024


def _reset_peak() -> None:
    try:
        _CLEAR_REFS.write_text(_RESET_PEAK)
    except OSError:
        return  # not Linux, or not ours to write: the peak is then the process' so far
