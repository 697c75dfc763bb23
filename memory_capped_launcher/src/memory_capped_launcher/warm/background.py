"""Fork a process that runs one function and ends, and detach a process from the one that started it."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn


def go_to_background() -> None:
    """Detach from the process that started this one: its wait ends now, and no zombie stays with it."""
    if os.fork():
        os._exit(0)
    os.setsid()


def say_ready(why_not: str) -> None:
    """Tell the process that started this one that it is ready, or why it is not, and close the output it waits for."""
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    line = (why_not or "ready").replace("\n", " ") + "\n"
    try:
        os.write(1, line.encode())
    except OSError:
        sys.stderr.write("the process that started this one did not wait for it\n")
    for descriptor in (0, 1):
        os.dup2(nothing, descriptor)
    os.close(nothing)


def fork(work: Callable[[], None], *, close: list[int]) -> int:
    """Run `work` in a forked process that has closed these file descriptors; return the process id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        for descriptor in close:
            os.close(descriptor)
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - the outermost loop of a process
        traceback.print_exc()
    finally:
        exit_now(code)
    raise AssertionError("not reached")


def exit_now(code: int) -> NoReturn:
    """End this process without the exit handlers, which belong to the process that it was forked from.

    It ends even if its output cannot be flushed, to a full disk or a closed file. Otherwise the child would continue
    with its parent's work and be a second warm process.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
