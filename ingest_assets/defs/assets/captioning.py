"""Caption the pictures of a parsed file with the models that the settings name, each picture once for all files."""

from __future__ import annotations

from collections.abc import Iterator

from ingest_assets.artifacts.manifests import UNREAD_UNDER_CAP
from ingest_assets.artifacts.sequences import Draft, Stored
from ingest_assets.clients.pictures.picture_models import open_picture_models
from ingest_assets.project import Project
from ingest_assets.records import Caption, Part
from ingest_assets.stages.caption import caption
from ingest_assets.stages.planning.attempts import Attempt
from ingest_assets.stages.repeated import repeated


def caption_pictures(
    draft: Draft[Caption], parsed: Stored[Part], *, project: Project, file_id: str, attempt: Attempt, model: str
) -> Iterator[Caption]:
    """Yield a caption per distinct picture, continuing after those that the draft has kept.

    `model` is the fingerprint of the models: cached captions are used only if they have the same.
    """
    pictures = (picture for part in parsed for picture in part.pictures)
    with (
        open_picture_models(project.settings, cap_mb=attempt.cap_mb) as models,
        project.artifacts.caption_cache(file_id, model=model) as known,
    ):
        if models.left_out_under_mb and parsed.manifest.counts.get("pictures"):
            draft.facts[UNREAD_UNDER_CAP] = models.left_out_under_mb
        yield from caption(
            known.noting(pictures),
            load=parsed.attachment,
            captioner=models.captioner,
            describer=models.describer,
            undescribed=models.undescribed,
            known=known,
            finished=draft.kept(),
            unread=attempt.leaves_out("image_captions"),
            repeated=repeated(parsed),
        )
        known.settle()
