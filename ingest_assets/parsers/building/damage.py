"""Turn any exception that a library raises on a malformed file into a `BadInput` that says what is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ingest_assets.errors import BadInput


@contextmanager
def naming_damage(what: str) -> Iterator[None]:
    """Turn any exception inside the block into a BadInput; `what` is the kind of file, as in "a mail".

    Raises:
        BadInput: the block raised anything but a MemoryError.
    """
    try:
        yield
    except (BadInput, MemoryError):
        raise
    except Exception as error:
        # Libraries for old formats check little: a wrong attribute can end as an exception of any type.
        reason = f"{type(error).__name__}: {error}"[:300]
        raise BadInput(f"cannot be read as {what} ({reason}); save it again from its program") from error
