"""Whatever a library raises on a malformed file in, a BadInput that says so out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ingest_assets.errors import BadInput


@contextmanager
def naming_damage(what: str) -> Iterator[None]:
    """Turn whatever is raised on a malformed file into a BadInput; `what` the file would have been.

    Raises:
        BadInput: the block raised anything but a MemoryError.
    """
    try:
        yield
    except (BadInput, MemoryError):
        raise
    except Exception as error:
        # The libraries of old formats check nothing: a wrong attribute may end as any error there is.
        reason = f"{type(error).__name__}: {error}"[:300]
        raise BadInput(f"cannot be read as {what} ({reason}); save it again from its program") from error
