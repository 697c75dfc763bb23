"""A picture in, nothing out: the captioner of `INGEST_CAPTIONS=off`."""

from __future__ import annotations

from ingest_assets.stages.caption import Reading


class NoCaptioner:
    """Leaves every picture unread, and says so in its name."""

    model = "off"

    def caption(self, picture: bytes) -> Reading:
        """Return an empty reading."""
        return Reading(caption="", text="")
