"""An instance in, the runs of dead processes reported as failed.

Dagster's launcher watches what it launched. Nobody watches a run that the command line made itself: killed with `-9`,
or gone with the host, it would stay "started" and hold the only slot. So such a run says which process it is, and
whoever comes next looks whether that process is still there.
"""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg

PROCESS_TAG = "ingest/process"
_STARTED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_START_TIME_FIELD = 19  # proc(5), field 22, counted behind the name in brackets


def this_process() -> str:
    """Name this process for ever: boot, pid and start time, because pids come again."""
    return f"{_boot_id()}:{os.getpid()}:{_start_time(os.getpid())}"


def report_dead_runs(instance: dg.DagsterInstance) -> None:
    """Report each unfinished run whose process is gone as failed."""
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=_STARTED)):
        name = run.tags.get(PROCESS_TAG)
        if name and not _is_alive(name):
            pid = name.split(":")[1]
            instance.report_run_failed(run, f"the run's process {pid} is gone: killed, or the host restarted")


def _is_alive(name: str) -> bool:
    boot_id, pid, start_time = name.split(":")
    return boot_id == _boot_id() and start_time == _start_time(int(pid))


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _start_time(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[_START_TIME_FIELD]
    except FileNotFoundError:
        return ""
