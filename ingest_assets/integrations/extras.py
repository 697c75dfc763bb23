"""Say which extra to install where a library is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ingest_assets.errors import ConfigError


@contextmanager
def from_extra(name: str) -> Iterator[None]:
    """Import in this block what an extra of this project brings.

    Raises:
        ConfigError: a library is not there; it names the extra.
    """
    try:
        yield
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed; install ingest-assets[{name}]") from error
