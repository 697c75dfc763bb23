"""Put runs into Dagster's queue without a code location, as a daemon would find them there."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

_LOCATION = GrpcServerCodeLocationOrigin(host="localhost", port=1)
ORIGIN = RemoteJobOrigin(RemoteRepositoryOrigin(_LOCATION, "__repository__"), "ingest_file")


@dg.job(name="ingest_file")
def job_of_a_file() -> None:
    """Run nothing."""


def queue(
    instance: dg.DagsterInstance,
    file_id: str,
    tags: Mapping[str, str],
    *,
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.QUEUED,
) -> dg.DagsterRun:
    """Make a run that waits."""
    named = {**tags, "dagster/partition": file_id}
    return instance.create_run_for_job(job_of_a_file, tags=named, status=status, remote_job_origin=ORIGIN)
