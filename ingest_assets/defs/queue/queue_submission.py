"""Put runs into Dagster's queue from a process that is neither its daemon nor its web server.

Dagster's sensor daemon does three things with a run request: it creates the run with the job's snapshot, it names where
the job's code is, and it hands the run to the instance's run coordinator (`dagster._daemon.sensor`, 1.13.27). A code
server is not needed for this, because this process has the definitions itself. The daemon then starts the run like any
other.

A process that is killed between the first step and the last leaves a run that nothing starts, and its file counts as
busy. `resume` puts such runs into the queue.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.execution.api import create_execution_plan
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from ingest_assets.defs.queue.busy_files import PARTITION_TAG

if TYPE_CHECKING:
    from dagster._core.execution.plan.plan import ExecutionPlan

SUBMITTED_BY_TAG = "ingest/submitted_by"
"""On runs that this module submitted: the name of the process's kind."""
_MODULE, _ATTRIBUTE, _LOCATION = "ingest_assets.definitions", "defs", "ingest_assets"  # as workspace.yaml has them
_REPOSITORY = "__repository__"  # Dagster's name for what a `Definitions` object holds


class RunQueue:
    """Dagster's run queue, as one process fills it."""

    def __init__(self, instance: dg.DagsterInstance, definitions: dg.Definitions, *, submitted_by: str) -> None:
        """Take the instance, the project's definitions and a name for this kind of process, which its runs get."""
        self._instance = instance
        self._definitions = definitions
        self._submitted_by = submitted_by
        self._plans: dict[str, ExecutionPlan] = {}

    def submit(self, request: dg.RunRequest) -> str:
        """Create the run of a request and put it into the queue; return its id.

        Raises:
            DagsterError: the instance does not take it.
        """
        assert request.job_name, "a request names its job"
        job = self._definitions.resolve_job_def(request.job_name)
        partition = {PARTITION_TAG: request.partition_key} if request.partition_key else {}
        run = self._instance.create_run_for_job(
            job,
            run_config=request.run_config,
            tags={**job.run_tags, **request.tags, **partition, SUBMITTED_BY_TAG: self._submitted_by},
            execution_plan=self._plan(job, request.run_config),
            remote_job_origin=RemoteJobOrigin(_location(), job.name),
            job_code_origin=JobPythonOrigin(job.name, _code()),
        )
        self._enqueue(run.run_id)
        return run.run_id

    def resume(self) -> list[str]:
        """Put the runs into the queue that a killed process of this kind had only created; return their ids."""
        created = dg.RunsFilter(statuses=[dg.DagsterRunStatus.NOT_STARTED], tags={SUBMITTED_BY_TAG: self._submitted_by})
        found = [run.run_id for run in self._instance.get_runs(filters=created)]
        for run_id in found:
            self._enqueue(run_id)
        return found

    def _enqueue(self, run_id: str) -> None:
        workspace: Any = None  # for coordinators that ask a code server; ours and Dagster's own do not
        self._instance.submit_run(run_id, workspace=workspace)

    def _plan(self, job: dg.JobDefinition, run_config: Mapping[str, Any] | None) -> ExecutionPlan | None:
        """Return the plan of a job that takes no configuration: it is the same for every file."""
        if run_config:
            return None
        if job.name not in self._plans:
            self._plans[job.name] = create_execution_plan(job, instance_ref=self._instance.get_ref())
        return self._plans[job.name]


def _location() -> RemoteRepositoryOrigin:
    return RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(_LOCATION), _REPOSITORY)


def _code() -> RepositoryPythonOrigin:
    """Say where the code is, in the same words as a code server that was started in this folder.

    The launcher keeps one warm process for each place of code, so other words would cost a new process.
    """
    from dagster._core.code_pointer import ModuleCodePointer

    return RepositoryPythonOrigin(
        executable_path=sys.executable,
        code_pointer=ModuleCodePointer(_MODULE, _ATTRIBUTE, os.getcwd()),  # noqa: PTH109 - a text, as Dagster has it
        container_image=None,
        entry_point=["dagster"],
        container_context={},
    )
