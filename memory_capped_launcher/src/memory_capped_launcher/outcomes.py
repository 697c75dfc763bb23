"""How a run's processes ended in, its named end and a sentence about it out.

The names are a run's tag `memory_capped/outcome`. Signal 9 alone proves nothing: it is `out_of_memory` only where the
watchdog, the cgroup or the kernel's own count of kills says so, and `lost` otherwise.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import StrEnum

OUTCOME_TAG = "memory_capped/outcome"
PEAK_TAG = "memory_capped/peak_mb"
CPU_TAG = "memory_capped/cpu_s"
CAP_TAG = "memory_capped/cap_mb"

# What is said when memory is refused: by Python and numpy; C++; torch; the C library; the loader of a library.
MEMORY_WORDS = ("MemoryError", "bad_alloc", "DefaultCPUAllocator", "Cannot allocate memory", "failed to map segment")


# RLIMIT_DATA refuses at 0.9 of the cap.
NEARLY_ALL = 0.8
# How C and C++ libraries end a process that they cannot go on in: PDFium by SIGTRAP or SIGILL, others by SIGABRT.
_CRASHES = {signal.SIGABRT, signal.SIGTRAP, signal.SIGILL, signal.SIGSEGV, signal.SIGBUS}


class Outcome(StrEnum):
    """The named ends."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run's processes ended, as its supervisor saw it."""

    outcome: Outcome | None
    """None: the run ended by itself, and its status in Dagster says how."""
    reason: str
    cap_mb: int
    peak_mb: float = 0.0
    cpu_s: float = 0.0
    log: str = ""
    """Where what it printed lies; empty where it printed nothing."""
    refused_memory: bool = False
    """It printed an allocator's refusal."""
    resident_mb: float = 0.0
    """Highest resident memory of the run's largest process, as the kernel tells it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What a supervisor knows when the run's first process has ended."""

    exit_code: int
    """Negative: the signal that ended it."""
    over_cap: bool
    timed_out: bool
    cancelled: bool
    kernel_killed: bool
    """The kernel's own out-of-memory killer struck on this host while the run was there."""
    printed_memory_words: bool


def judge(ending: Ending, *, cap_mb: int, timeout_s: float | None, peak_mb: float) -> tuple[Outcome | None, str]:
    """Name the end, and say why; None where the run said itself how it ended."""
    if ending.over_cap:
        return Outcome.OUT_OF_MEMORY, f"The run went over its cap of {cap_mb} MB and was stopped; {_held(peak_mb)}."
    if ending.timed_out:
        return Outcome.TIMED_OUT, f"The run was stopped after {timeout_s:g} s, its time limit."
    if ending.cancelled:
        return Outcome.CANCELLED, "The run was cancelled."
    if ending.exit_code == -9 and ending.kernel_killed:
        return Outcome.OUT_OF_MEMORY, f"The host ran out of memory and its kernel ended the run; {_held(peak_mb)}."
    if ending.exit_code not in (0, 1) and ending.printed_memory_words:
        return Outcome.OUT_OF_MEMORY, f"A library was refused memory and ended the run; {_held(peak_mb)}."
    if -ending.exit_code in _CRASHES and peak_mb >= NEARLY_ALL * cap_mb:
        name = signal.Signals(-ending.exit_code).name
        return Outcome.OUT_OF_MEMORY, (
            f"A library crashed ({name}) with nearly all that the run may have, as many do when they are refused more; "
            f"{_held(peak_mb)} of {cap_mb} MB."
        )
    if ending.exit_code < 0:
        return Outcome.LOST, (
            f"The run's process was ended by signal {-ending.exit_code}, which neither Dagster nor the launcher sent; "
            f"{_held(peak_mb)} of {cap_mb} MB."
        )
    return None, f"The run's process ended with code {ending.exit_code} before the run did."


def advice(outcome: Outcome) -> str:
    """Say what happens next, or what a person may do."""
    return {
        Outcome.OUT_OF_MEMORY: "Dagster does not repeat it as it is: repeat it with less in memory at once, or with "
        "a larger tag memory_capped/memory_limit_mb.",
        Outcome.TIMED_OUT: "Dagster does not repeat it as it is: give it more with the tag memory_capped/timeout_s.",
        Outcome.LOST: "It is repeated where run retries are on.",
        Outcome.FAILED: "It is repeated where run retries are on.",
    }.get(outcome, "")


def _held(peak_mb: float) -> str:
    return f"it held {peak_mb:.0f} MB at most"
