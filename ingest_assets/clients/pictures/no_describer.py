"""A picture in, a reason why nothing is said about it out: a describer's place where it has no room."""

from __future__ import annotations

from ingest_assets.errors import BadInput


class NoDescriber:
    """Says of each picture why it is not described."""

    def __init__(self, reason: str, *, model: str) -> None:
        """Stand in for a model that is not started, under its name."""
        self._reason = reason
        self.model = model

    def describe(self, picture: bytes) -> str:
        """Describe nothing.

        Raises:
            BadInput: always, with the reason.
        """
        raise BadInput(self._reason)

    def close(self) -> None:
        """End nothing."""
