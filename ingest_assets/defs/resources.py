"""Define the resources of the project's assets: the project itself and the IO managers of its artifacts and store.

One `Project` serves a whole process. Dagster makes its resources anew for each tick of a sensor, and each tick would
otherwise open the store again.
"""

from typing import Any

import dagster as dg
from pydantic import Field

from ingest_assets.config.settings import Settings
from ingest_assets.defs.assets.artifact_io_manager import ArtifactIOManager
from ingest_assets.defs.io_managers import VectorStoreIOManager
from ingest_assets.errors import ConfigError
from ingest_assets.project import Project
from ingest_assets.stores.contract import VectorStore


class ProjectResource(dg.ConfigurableResource[Project]):
    """The bucket, the artifacts, the vector store and the models, as the settings name them.

    The values are shown here and set by environment variables; `ingest config` lists them all.
    """

    bucket: str = Field(description="Drop files here, as USER/PROJECT/FILENAME. Set by INGEST_BUCKET.")
    artifacts: str = Field(description="Folder of what the stages made of the files. Set by INGEST_ARTIFACTS.")
    store: str = Field(description="Kind of the vector store: chroma, pgvector or atlas. Set by INGEST_STORE.")
    opened: dg.ResourceDependency[Project]

    def create_resource(self, context: dg.InitResourceContext) -> Project:
        """Return the process's project.

        Raises:
            ConfigError: a value was changed in a run's configuration, where it has no effect.
        """
        changed = (
            shown_settings(self.opened.settings).items()
            - {
                "bucket": self.bucket,
                "artifacts": self.artifacts,
                "store": self.store,
            }.items()
        )
        if changed:
            names = ", ".join(sorted(name for name, _ in changed))
            raise ConfigError(f"ingest_project: {names} cannot be changed for one run; set the environment variable")
        return self.opened

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Remove copies of objects when the run ends: the process of a run ends without Python's own clearing up."""
        self.opened.release()


class ProjectVectorStore(VectorStoreIOManager):
    """The vector store that the settings name. Each file's chunks are replaced all at once."""

    project: dg.ResourceDependency[Project]  # the metaclass reads this: no `from __future__ import annotations` here

    def open_store(self) -> VectorStore:
        """Return the store that the project has open; its address may hold a password and is not shown here."""
        return self.project.store

    def close(self) -> None:
        """Leave the store open: the project's other parts and the next run use it."""

    def file_id_of(self, asset_key: dg.AssetKey, document: str) -> str:
        """Return the partition's key, which is the file's id already."""
        return document


def shown_settings(settings: Settings) -> dict[str, str]:
    """Return the settings that the resource shows; none of them can hold a password."""
    return {"bucket": settings.bucket, "artifacts": settings.artifacts, "store": settings.store}


def resources_for(settings: Settings) -> dict[str, Any]:
    """Make the resources that the assets ask for by name."""
    project = Project(settings)
    return {
        "ingest_project": ProjectResource(**shown_settings(settings), opened=project),
        "ingest_artifacts": ArtifactIOManager(project=project),
        "ingest_vector_store": ProjectVectorStore(project=project),
        **storage_resources(settings),
    }


def storage_resources(settings: Settings) -> dict[str, Any]:
    """Make Dagster's own resource of S3 where files lie there: it shows in the UI which service is used.

    Runs use boto3 alone, which needs half of the memory. Credentials come from the environment and are not shown.
    """
    if not any(place.startswith("s3://") for place in (settings.bucket, settings.artifacts)):
        return {}
    from dagster_aws.s3 import S3Resource

    return {"s3": S3Resource(endpoint_url=settings.s3_endpoint or None)}
