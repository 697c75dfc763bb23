"""A picture in, nothing out: the captioner of `INGEST_CAPTIONS=off`."""

from __future__ import annotations

from typing import Self

from ingest_assets.stages.caption import OFF, Reading


class NoCaptioner:
    """Leaves every picture unread, and says so in its name."""

    model = OFF

    def __enter__(self) -> Self:
        """Start nothing."""
        return self

    def __exit__(self, *_: object) -> None:
        """End nothing."""

    def caption(self, picture: bytes) -> Reading:
        """Return an empty reading."""
        return Reading(caption="", text="")
