"""Test that new definitions are told from a code server that only started anew."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.launcher import LaunchRunContext
from dagster._core.remote_origin import RemoteJobOrigin
from dagster._core.workspace.context import BaseWorkspaceRequestContext, WorkspaceProcessContext
from dagster._core.workspace.load_target import PythonFileTarget

from memory_capped_launcher.warm.loaded_code import LoadedCode

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

DEFINITIONS = """
import dagster as dg

@dg.asset
def first(): ...

defs = dg.Definitions(assets=[first], jobs=[dg.define_asset_job("job")])
"""


def context_of(workspace: BaseWorkspaceRequestContext) -> LaunchRunContext:
    (location,) = workspace.code_locations
    (repository,) = location.get_repositories().values()
    origin = RemoteJobOrigin(repository.get_remote_origin(), "job")
    return LaunchRunContext(dg.DagsterRun(job_name="job", remote_job_origin=origin), workspace)


def server_of(workspace: BaseWorkspaceRequestContext) -> str:
    (location,) = workspace.code_locations
    return str(getattr(location, "server_id", ""))


def test_a_new_server_with_the_same_definitions_is_the_same_version(tmp_path: Path) -> None:
    path = tmp_path / "definitions.py"
    path.write_text(DEFINITIONS)
    target = PythonFileTarget(str(path), attribute=None, working_directory=str(tmp_path), location_name="place")
    loaded = LoadedCode()
    with dg.instance_for_test() as instance, WorkspaceProcessContext(instance, target) as process:
        workspace = process.create_request_context()
        server, version = server_of(workspace), loaded.version(context_of(workspace))
        assert server
        assert version

        process.reload_workspace()
        workspace = process.create_request_context()
        assert server_of(workspace) != server, "Dagster starts a new code server"
        assert loaded.version(context_of(workspace)) == version

        path.write_text(DEFINITIONS.replace("def first(): ...", 'def first(): "What it is."'))
        process.reload_workspace()
        assert loaded.version(context_of(process.create_request_context())) != version


def test_without_a_code_server_there_is_no_version() -> None:
    run = dg.DagsterRun(job_name="job")
    assert LoadedCode().version(LaunchRunContext(run, None)) == ""
