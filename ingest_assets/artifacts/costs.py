"""Measure the seconds and the peak memory of a stage's work.

Memory is measured as the launcher's cap counts it: what this process and its children hold and the kernel cannot take
back, without the pages of mapped files. A stage's peak can therefore be compared with the cap of its run. A thread
measures ten times a second, because Linux's own high-water mark (VmHWM) counts mapped files and no children.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from memory_capped_launcher.supervision.process_tree import MemoryGauge, descendants

_MEASURE_EVERY_S = 0.1


@dataclass(slots=True)
class Cost:
    """What a piece of work took: the peak so far while it lasts, the seconds when it has ended."""

    seconds: float = 0.0
    peak_memory_mb: float = 0.0


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure the work done inside the context."""
    cost = Cost()
    over = threading.Event()
    thread = threading.Thread(target=_measure_until, args=(over, cost), name="peak memory", daemon=True)
    began = time.perf_counter()
    thread.start()
    try:
        yield cost
    finally:
        cost.seconds = time.perf_counter() - began
        over.set()
        thread.join()


def _measure_until(over: threading.Event, cost: Cost) -> None:
    """Measure this process and its children until the event is set, and one last time after that."""
    gauge, pid, last = MemoryGauge(), os.getpid(), False
    while not last:
        last = over.wait(_MEASURE_EVERY_S)
        gauge.over_cap([pid, *descendants(pid)])
        cost.peak_memory_mb = gauge.peak_mb
