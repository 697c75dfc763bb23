"""Keep the records of the assets before `embeddings` in the artifacts' folder, made while they are written.

An asset returns what is still to be made (`Pending`), so that one window of records is in memory at a time, and
nothing is made that is there already.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from ingest_assets.artifacts.manifests import Manifest
from ingest_assets.artifacts.sequences import Pending, Stored
from ingest_assets.defs.assets.catalog.metadata import materialised
from ingest_assets.defs.assets.recording.failures import FailureRecorder
from ingest_assets.ledger_records import StageCost
from ingest_assets.project import Project
from ingest_assets.records import Caption, Chunk, Part, SourceFile

RECORD_TYPES: Mapping[str, type[Any]] = {
    "raw_files": SourceFile,
    "parsed_documents": Part,
    "image_captions": Caption,
    "chunks": Chunk,
}


class ArtifactIOManager(dg.ConfigurableIOManager):
    """Keeps each asset's records as slices of zstd JSON lines in the artifacts' folder, one folder a file.

    Unchanged input costs nothing, and a run that was killed goes on after the slices that it had finished.
    """

    project: dg.ResourceDependency[Project]  # the metaclass reads this: no `from __future__ import annotations` here

    def handle_output(self, context: dg.OutputContext, obj: Pending[Any]) -> None:
        """Make the records while writing them, and report what they are and what they cost."""
        asset, file_id = context.asset_key.path[-1], context.partition_key
        step = context.step_context
        with FailureRecorder(self.project, step.instance).watch(step, receiving=asset == "raw_files"):
            manifest, made = self.project.artifacts.write(asset, file_id, obj, RECORD_TYPES[asset])
            stored = self.project.artifacts.read(asset, file_id, RECORD_TYPES[asset])
            shown = materialised(stored, manifest, project=self.project, file_id=file_id, made=made)
            context.add_output_metadata(shown)
            if made:
                self._count(asset, file_id, manifest)

    def _count(self, asset: str, file_id: str, manifest: Manifest) -> None:
        cost = StageCost(asset, manifest.seconds, manifest.peak_memory_mb)
        self.project.run_figures.add_stage(cost, media_type=self.project.received(file_id).media_type)

    def load_input(self, context: dg.InputContext) -> Stored[Any]:
        """Open the upstream asset's records; they are read while they are iterated."""
        asset, step = context.asset_key.path[-1], context.step_context
        with FailureRecorder(self.project, step.instance).watch(step):
            return self.project.artifacts.read(asset, context.partition_key, RECORD_TYPES[asset])
