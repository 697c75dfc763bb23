"""Run one request under supervision: wait for its turn, enforce its limits, record how it ended, clean up.

A supervisor is a process that only waits and watches. It opens no connection before the run is over, so that neither a
database nor a full disk keeps it from watching.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import time
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from memory_capped_launcher.linux import adopt_orphans
from memory_capped_launcher.outcomes import MEMORY_WORDS, ProcessEnd, RunEnd, RunOutcome, name_outcome
from memory_capped_launcher.register import Register, RunEntry, RunStage, may_start
from memory_capped_launcher.request import RunRequest
from memory_capped_launcher.supervision.caps import open_cap
from memory_capped_launcher.supervision.log_file import LogFile, keep_the_newest
from memory_capped_launcher.supervision.process_tree import descendants, kill_descendants
from memory_capped_launcher.supervision.reporting import report_from
from memory_capped_launcher.supervision.run_process import execute_and_exit

# A run that allocates 1 GB/s goes over its cap by 50 MB at most; a look costs a fraction of a millisecond.
_LOOK_EVERY_S = 0.05
# The supervisor of the next run looks more often, so that the slot is empty for 5 ms and not 25; a look costs 0.2 ms.
_NEXT_LOOKS_EVERY_S = 0.01
_STOPS = {signal.SIGTERM, signal.SIGINT}


def supervise(request: RunRequest, lock: int) -> None:
    """Supervise one run from its turn to its end; `lock` is the open lock file of its entry in the register."""
    register = Register(request.root)
    entry = register.read(request.run_id)
    if entry is None or not register.claim(request.run_id):
        return  # it was launched twice, and another supervisor has it
    os.setsid()
    adopt_orphans()
    for number in _STOPS:
        signal.signal(number, lambda *_: register.cancel(request.run_id))
    entry = replace(entry, pid=os.getpid())
    _note(register, entry)
    if _wait_for_turn(request, register):
        watch = _Watch(request, register)
        entry = replace(entry, stage=RunStage.RUNNING, group=str(watch.group or ""))
        _note(register, entry)
        end = watch.run(lock)
    else:
        end = RunEnd(RunOutcome.CANCELLED, "The run was cancelled while it waited.", request.limits.cap_mb)
    _note(register, replace(entry, stage=RunStage.ENDING, end=asdict(end)))
    report_from(request, end)
    register.close(request.run_id, lock)
    keep_the_newest(Path(request.log_path).parent)


def _note(register: Register, entry: RunEntry) -> None:
    """Write the entry; ignore a full disk, which must not stop the supervisor from watching.

    As long as the register shows the run as waiting, those behind it wait too, so caps never exceed the budget.
    """
    with suppress(OSError):
        register.write(entry)


def _wait_for_turn(request: RunRequest, register: Register) -> bool:
    """Wait until the run's cap fits beside those of the running runs; False if it was cancelled meanwhile."""
    limits = request.limits
    while not register.cancelled(request.run_id):
        entries = register.living()
        if may_start(request.run_id, entries, budget_mb=limits.budget_mb, max_parallel=limits.max_parallel):
            return True
        waiting = [entry.run_id for entry in entries if entry.stage is RunStage.WAITING]
        time.sleep(_NEXT_LOOKS_EVERY_S if waiting[:1] == [request.run_id] else _LOOK_EVERY_S)
    return False


class _Watch:
    """The process of one run and what its supervisor has seen of it."""

    def __init__(self, request: RunRequest, register: Register) -> None:
        self._request = request
        self._register = register
        self._log = LogFile(Path(request.log_path))
        self._cap = open_cap(request.run_id, request.limits)
        self.group = self._cap.group
        self._kernel_kills = _kernel_kills()
        self._began = time.monotonic()
        self._over_cap = self._timed_out = False
        self._cancelled_at: float | None = None
        self._status: int | None = None

    def run(self, lock: int) -> RunEnd:
        """Execute the run and return how it ended."""
        self._until_it_ends(self._fork(lock))
        kill_descendants(os.getpid())
        self._log.close()
        end = self._end()
        self._cap.close()
        return end

    def _fork(self, lock: int) -> int:
        supervisor = os.getpid()
        # A signal between the fork and the child's first line would end in the supervisor's handler.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        pid = os.fork()
        if pid == 0:
            execute_and_exit(
                self._request, cap=self._cap, log=self._log, supervisor=supervisor, close=[lock, self._log.reader]
            )
        self._log.detach()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
        return pid

    def _until_it_ends(self, pid: int) -> None:
        poller = select.poll()
        ended = os.pidfd_open(pid)
        poller.register(ended, select.POLLIN)
        poller.register(self._log.reader, select.POLLIN)
        next_look = self._began
        while self._status is None:
            ready = {descriptor for descriptor, _ in poller.poll(_LOOK_EVERY_S * 1000)}
            if self._log.reader in ready and not self._log.drain():
                poller.unregister(self._log.reader)
            if time.monotonic() >= next_look:
                self._look(pid)
                next_look = time.monotonic() + _LOOK_EVERY_S
            self._reap(pid)
        os.close(ended)

    def _look(self, pid: int) -> None:
        """Measure the run once and enforce its limits."""
        now = time.monotonic()
        timeout = self._request.limits.timeout_s
        self._over_cap = self._over_cap or self._cap.over_cap(descendants(os.getpid()))
        self._timed_out = self._timed_out or bool(timeout and now - self._began > timeout)
        if self._cancelled_at is None and self._register.cancelled(self._request.run_id):
            self._cancelled_at = now
            _signal(pid, signal.SIGTERM)
        grace_over = self._cancelled_at is not None and now - self._cancelled_at > self._request.limits.cancel_grace_s
        if self._over_cap or self._timed_out or grace_over:
            for one in descendants(os.getpid()):
                _signal(one, signal.SIGKILL)

    def _reap(self, pid: int) -> None:
        """Collect the exit status of the run's process and of orphans that this process has adopted."""
        while True:
            try:
                one, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if one == pid:
                self._status = status
            if one == 0:
                return

    def _end(self) -> RunEnd:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        limits, log = self._request.limits, Path(self._request.log_path)
        refused = self._log.mentions(tuple(word.encode() for word in MEMORY_WORDS))
        process_end = ProcessEnd(
            exit_code=os.waitstatus_to_exitcode(self._status or 0),
            over_cap=self._over_cap or self._cap.was_exceeded(),
            timed_out=self._timed_out,
            cancelled=self._cancelled_at is not None,
            kernel_killed=_kernel_kills() > self._kernel_kills,
            printed_memory_words=refused,
        )
        peak = self._cap.peak_mb
        outcome, reason = name_outcome(process_end, cap_mb=limits.cap_mb, timeout_s=limits.timeout_s, peak_mb=peak)
        cpu = used.ru_utime + used.ru_stime
        return RunEnd(
            outcome,
            reason,
            limits.cap_mb,
            peak,
            cpu,
            str(log) if log.exists() else "",
            refused_memory=refused,
            resident_mb=used.ru_maxrss / 1024,
        )


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _kernel_kills() -> int:
    """Return how many processes the kernel's out-of-memory killer has killed on this host since it was started."""
    for line in Path("/proc/vmstat").read_text().splitlines():
        name, _, count = line.partition(" ")
        if name == "oom_kill":
            return int(count)
    return 0
