"""Settings in, Dagster's resources out. Each part opens itself in the process that first uses it."""

from __future__ import annotations

from typing import Any

import dagster as dg

from ingest_assets.config.settings import Settings
from ingest_assets.defs.attempts import WINDOW_TAG, attempt_from
from ingest_assets.defs.ends import NamedEnds
from ingest_assets.defs.io_managers import ArtifactIOManager, VectorStoreIOManager
from ingest_assets.project import Project
from ingest_assets.records import SourceFile
from ingest_assets.stages.attempts import Attempt
from memory_capped_launcher.outcomes import CAP_TAG


class Workshop(Project):
    """A project as the assets use it: with what a run's tags say, and with names for how files ended."""

    def __init__(self, settings: Settings, *, space: str | None = None, prepares: bool = True) -> None:
        """Take what a `Project` takes."""
        super().__init__(settings, space=space, prepares=prepares)
        self._windows: dict[str, int] = {}

    def attempt(self, context: dg.AssetExecutionContext, source: SourceFile) -> Attempt:
        """Say how much of a file this run holds at once; where its tags do not, earlier files do, and it is tagged."""
        tags = context.run.tags
        if WINDOW_TAG not in tags and context.run.run_id not in self._windows:
            window = self.first_window(source, cap_mb=int(tags.get(CAP_TAG) or 0))
            context.instance.add_run_tags(context.run.run_id, {WINDOW_TAG: str(window)})
            self._windows = {context.run.run_id: window}
        return attempt_from(tags, window=self._windows.get(context.run.run_id, self.settings.window_parts))

    @property
    def ends(self) -> NamedEnds:
        """Names the end of what fails."""
        return NamedEnds(
            bucket=self.bucket,
            store=lambda: self.store,
            source_of=self.source,
            fingerprint_of=self.current_fingerprint,
        )


def resources_for(settings: Settings) -> dict[str, Any]:
    """Make the resources that the assets ask for by name."""
    workshop = Workshop(settings)
    return {
        "workshop": workshop,
        "artifacts": ArtifactIOManager(workshop),
        "vector_store": VectorStoreIOManager(workshop),
    }
