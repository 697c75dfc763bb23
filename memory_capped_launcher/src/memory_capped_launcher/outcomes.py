"""Give the end of a run its name, from how its processes ended, and one sentence that explains it.

The names are the values of the run's tag `memory_capped/outcome`. Signal 9 alone proves nothing. The end is
`out_of_memory` only where the watchdog, the cgroup or the kernel's own count of kills proves it, and `lost` otherwise.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import StrEnum

OUTCOME_TAG = "memory_capped/outcome"
PEAK_TAG = "memory_capped/peak_mb"
CPU_TAG = "memory_capped/cpu_s"
CAP_TAG = "memory_capped/cap_mb"

# What programs print when memory is refused: Python and numpy; C++; torch; the C library; the loader of a library.
MEMORY_WORDS = ("MemoryError", "bad_alloc", "DefaultCPUAllocator", "Cannot allocate memory", "failed to map segment")

# RLIMIT_DATA refuses at 0.9 of the cap, so a run that was refused memory holds somewhat less than that.
NEARLY_ALL = 0.8
# How C and C++ libraries end a process in which they cannot continue: PDFium by SIGTRAP or SIGILL, others by SIGABRT.
_CRASHES = {signal.SIGABRT, signal.SIGTRAP, signal.SIGILL, signal.SIGSEGV, signal.SIGBUS}


class RunOutcome(StrEnum):
    """The ends that a run can have."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended, as its supervisor saw it."""

    outcome: RunOutcome | None
    """None: the run ended by itself, and its status in Dagster says how."""
    reason: str
    cap_mb: int
    peak_mb: float = 0.0
    """The most memory that the run held of the kind that the cap counts: what the kernel cannot take back."""
    cpu_s: float = 0.0
    log: str = ""
    """Path of the file with what the run printed; empty if it printed nothing."""
    refused_memory: bool = False
    """The run printed an allocator's refusal."""
    resident_mb: float = 0.0
    """Highest resident memory of the run's largest process (`ru_maxrss`); unlike `peak_mb` it counts mapped files."""


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """What a supervisor knows when the run's first process has ended."""

    exit_code: int
    """Negative: the number of the signal that ended it."""
    over_cap: bool
    timed_out: bool
    cancelled: bool
    kernel_killed: bool
    """The kernel's own out-of-memory killer killed something on this host while the run was there."""
    printed_memory_words: bool


def name_outcome(
    end: ProcessEnd, *, cap_mb: int, timeout_s: float | None, peak_mb: float
) -> tuple[RunOutcome | None, str]:
    """Return the outcome and the reason; the outcome is None if the run's status in Dagster says how it ended."""
    if end.over_cap:
        return RunOutcome.OUT_OF_MEMORY, f"The run went over its cap of {cap_mb} MB and was stopped; {_held(peak_mb)}."
    if end.timed_out:
        return RunOutcome.TIMED_OUT, f"The run was stopped after {timeout_s:g} s, its time limit."
    if end.cancelled:
        return RunOutcome.CANCELLED, "The run was cancelled."
    if end.exit_code == -9 and end.kernel_killed:
        return RunOutcome.OUT_OF_MEMORY, f"The host ran out of memory and its kernel ended the run; {_held(peak_mb)}."
    if end.exit_code not in (0, 1) and end.printed_memory_words:
        return RunOutcome.OUT_OF_MEMORY, f"A library was refused memory and ended the run; {_held(peak_mb)}."
    if -end.exit_code in _CRASHES and peak_mb >= NEARLY_ALL * cap_mb:
        name = signal.Signals(-end.exit_code).name
        return RunOutcome.OUT_OF_MEMORY, (
            f"A library crashed ({name}) when the run held nearly all that it may, as many libraries do when they are "
            f"refused more; {_held(peak_mb)} of {cap_mb} MB."
        )
    if end.exit_code < 0:
        return RunOutcome.LOST, (
            f"The run's process was ended by signal {-end.exit_code}, which neither Dagster nor the launcher sent; "
            f"{_held(peak_mb)} of {cap_mb} MB."
        )
    return None, f"The run's process ended with code {end.exit_code} before the run did."


def advice(outcome: RunOutcome) -> str:
    """Return a sentence about what happens next or what a person may do."""
    return {
        RunOutcome.OUT_OF_MEMORY: "Dagster does not repeat it as it is: repeat it with less in memory at once, or with "
        "a larger tag memory_capped/memory_limit_mb.",
        RunOutcome.TIMED_OUT: "Dagster does not repeat it as it is: give it more with the tag memory_capped/timeout_s.",
        RunOutcome.LOST: "It is repeated where run retries are on.",
        RunOutcome.FAILED: "It is repeated where run retries are on.",
    }.get(outcome, "")


def _held(peak_mb: float) -> str:
    return f"it held {peak_mb:.0f} MB at most"
