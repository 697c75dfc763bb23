"""Provide every place that artifacts can lie at, each on its real server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingest_assets.artifacts.folder import Artifacts
from ingest_assets.config.settings import load_settings
from ingest_assets.wiring import open_artifacts
from testing.object_storage import GcsServer, S3Server, gcs_server, s3_server


@dataclass(frozen=True, slots=True)
class ArtifactPlace:
    """An empty place for artifacts."""

    url: str
    environment: dict[str, str]

    def open(self, home: Path) -> Artifacts:
        """Open the artifacts as a host of this home does."""
        return open_artifacts(load_settings(self.settings(home)))

    def settings(self, home: Path) -> dict[str, str]:
        given = {name: value for name, value in self.environment.items() if name.startswith("INGEST_")}
        return given | {"DAGSTER_HOME": str(home), "INGEST_ARTIFACTS": self.url}


@pytest.fixture(
    params=["folder", pytest.param("s3", marks=pytest.mark.slow), pytest.param("gcs", marks=pytest.mark.slow)]
)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArtifactPlace:
    """Every place in turn."""
    if request.param == "folder":
        return ArtifactPlace(str(tmp_path / "artifacts"), {})
    server: S3Server | GcsServer = request.getfixturevalue(f"{request.param}_for_artifacts")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    scheme = "s3" if isinstance(server, S3Server) else "gs"
    return ArtifactPlace(f"{scheme}://{server.new_bucket()}/kept/artifacts", server.environment)


@pytest.fixture
def artifacts(place: ArtifactPlace, tmp_path: Path) -> Artifacts:
    return place.open(tmp_path / "home")


@pytest.fixture(scope="module")
def s3_for_artifacts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def gcs_for_artifacts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcsServer]:
    with gcs_server(tmp_path_factory.mktemp("gcs")) as server:
        yield server
