"""The three calls of Linux that Python has no name for."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Make this process the parent of its descendants' orphans, so that none escapes it."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies, and die now where that has happened."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def be_picked_first() -> None:
    """Make this process and its children the kernel's first choice when memory runs out."""
    Path("/proc/self/oom_score_adj").write_text("1000")


def threads() -> int:
    """Return how many threads this process has, those of native libraries included."""
    return len(list(Path("/proc/self/task").iterdir()))


def _prctl(option: int, argument: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
