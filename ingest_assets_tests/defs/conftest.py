"""Make a whole project in a temporary home: bucket, instance, artifacts, Chroma and the real model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from ingest_assets.config.settings import Settings
from ingest_assets.defs.definitions import build
from ingest_assets.file_ids import file_id_of
from ingest_assets.ledger_records import FileRecord, Hit, Scope
from ingest_assets.project import Project as Parts
from ingest_assets.stages.retrieval.search import search
from memory_capped_launcher.supervision.connections import kept_connections

SCOPE = Scope("ann", "p")


class Project:
    """What a person does with the project, in few words."""

    def __init__(self, home: Path, model_cache: Path, **settings: object) -> None:
        self.settings = Settings.model_validate(
            {
                "DAGSTER_HOME": home,
                "INGEST_MODEL_CACHE": model_cache,
                "INGEST_SETTLE_S": 0,
                "INGEST_DELETE_GRACE_S": 0,
                **settings,
            }
        )
        self.parts = Parts(self.settings)
        self.definitions = build(self.settings)
        home.mkdir(parents=True, exist_ok=True)
        self.instance = dg.DagsterInstance.local_temp(str(home))

    def put(self, name: str, content: bytes | str) -> str:
        """Put a file into ann's project p; return its file_id."""
        path = Path(self.settings.bucket) / "ann/p" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return file_id_of(f"ann/p/{name}")

    def path(self, name: str) -> Path:
        """Return where a file lies in the bucket."""
        return Path(self.settings.bucket) / "ann/p" / name

    def ingest(self, file_id: str) -> dg.ExecuteInProcessResult:
        """Run the job for one file, on connections that are kept, as in a run's own process."""
        self.instance.add_dynamic_partitions("files", [file_id])
        job = self.definitions.resolve_job_def("ingest_file")
        with kept_connections(on=True):
            return job.execute_in_process(instance=self.instance, partition_key=file_id, raise_on_error=False)

    def purge(self, file_id: str) -> dg.ExecuteInProcessResult:
        """Run the purge of one file."""
        return self.definitions.resolve_job_def("purge_file").execute_in_process(
            instance=self.instance, run_config={"ops": {"remove_what_is_kept": {"config": {"file_id": file_id}}}}
        )

    def record(self, file_id: str) -> FileRecord:
        """Return the file's entry in the ledger."""
        record = self.parts.store.file(file_id)
        assert record is not None
        return record

    def texts(self, file_id: str) -> list[str]:
        """Return the texts of the file's chunks in the store."""
        return [chunk.text for chunk in self.parts.store.chunks(file_id, limit=1000)]

    def ask(self, query: str, k: int = 3) -> list[Hit]:
        """Search ann's project p."""
        return search(query, k=k, scope=SCOPE, embedder=self.parts.embedder, store=self.parts.store)


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, object]:
    """Return what a run's materialisation of one asset says."""
    events = [event for event in result.get_asset_materialization_events() if event.asset_key == dg.AssetKey(asset)]
    return {name: value.value for name, value in events[-1].materialization.metadata.items()}


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """Return which asset checks of a run passed."""
    return {check.check_name: check.passed for check in result.get_asset_check_evaluations()}


@pytest.fixture
def project(tmp_path: Path, model_cache: Path) -> Iterator[Project]:
    project = Project(tmp_path / "home", model_cache)
    project.parts.mark_bucket()  # as `ingest prepare` does: a bucket that is empty and unmarked purges nothing
    with project.instance:  # Dagster remembers the instance that was entered last, also when its folder is gone
        yield project
    project.parts.close()
