"""Say what a code server has loaded, so that a warm process with other definitions is replaced.

The server's id does not say it: a daemon whose workspace names a module starts a new server every minute
(`check_workspace_freshness` in `dagster/_daemon/controller.py`, 1.13). What the server tells of its definitions does:
their names, dependencies, partitions and settings. The code inside of functions is seen by the files that it stands in.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from memory_capped_launcher.dagster_private import LaunchRunContext, ResumeRunContext, serialize_value


@dataclass(slots=True)
class LoadedCode:
    """What code servers have loaded; each server is asked once."""

    _digests: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By repository: the id of the server that was asked last, and the digest of what it told."""

    def version(self, context: LaunchRunContext | ResumeRunContext) -> str:
        """Return a SHA-256 of the definitions that a run belongs to; empty if there is no code server to ask."""
        workspace, job = context.workspace, context.dagster_run.remote_job_origin
        if workspace is None or job is None:
            return ""
        repository = job.repository_origin
        name = repository.code_location_origin.location_name
        if not workspace.has_code_location(name):
            return ""
        location = workspace.get_code_location(name)
        server_id = str(getattr(location, "server_id", ""))
        if not server_id:
            return ""
        known_id, digest = self._digests.get(repository.get_label(), ("", ""))
        if known_id != server_id:
            snapshot = location.get_repository(repository.repository_name).repository_snap
            digest = hashlib.sha256(serialize_value(snapshot).encode()).hexdigest()
            self._digests[repository.get_label()] = server_id, digest
        return digest
