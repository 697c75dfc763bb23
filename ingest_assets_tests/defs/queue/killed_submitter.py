"""Put a run into the queue of a home, and be killed when the run is created and not yet queued.

Run as a program with the home and a file_id; its dagster.yaml names the coordinator below.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import dagster as dg
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext

from ingest_assets.config.settings import Settings
from ingest_assets.defs.definitions import build
from ingest_assets.defs.queue.queue_submission import RunQueue


class KillingRunCoordinator(QueuedRunCoordinator):
    """Kills the process that hands a run over to it."""

    def submit_run(self, context: SubmitRunContext) -> dg.DagsterRun:
        """Kill this process."""
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("it was killed")


if __name__ == "__main__":
    home, file_id = Path(sys.argv[1]), sys.argv[2]
    with dg.DagsterInstance.from_config(str(home)) as instance:
        queue = RunQueue(instance, build(Settings.model_validate({"DAGSTER_HOME": home})), submitted_by="test")
        queue.submit(dg.RunRequest(job_name="ingest_file", partition_key=file_id))
