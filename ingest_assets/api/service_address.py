"""Leave a note beside the instance of where the service answers, for the commands of this machine.

The note holds a token that lets its reader act as the operator, so only the user who runs the service may read it. It
changes at each start.

`ingest` modules import this one before they load anything large, so it imports only the standard library.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest_assets.config.settings import Settings

_NAME = "service.json"


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """Where the service of this home answers."""

    url: str
    token: str
    process: int
    """Its process id."""
    answers_for: str
    """What it searches: the store and the models of its settings (`what_is_searched`)."""


def leave(home: Path, address: ServiceAddress) -> None:
    """Write the note; one that is there is replaced."""
    home.mkdir(parents=True, exist_ok=True)
    new = home / f"{_NAME}.{address.process}.tmp"
    new.touch(0o600)
    new.write_text(json.dumps(asdict(address)), encoding="utf-8")
    new.replace(home / _NAME)


def find(home: Path) -> ServiceAddress | None:
    """Return where the service answers; None if none runs on this machine."""
    try:
        address = ServiceAddress(**json.loads((home / _NAME).read_text(encoding="utf-8")))
        os.kill(address.process, 0)
    except (OSError, ValueError, TypeError):
        return None
    return address


def remove(home: Path, address: ServiceAddress) -> None:
    """Remove the note, if it is this service's."""
    if find(home) == address:
        (home / _NAME).unlink(missing_ok=True)


def what_is_searched(settings: Settings) -> str:
    """Return a hash of the settings that decide what a search finds; equal ones find the same."""
    local = "://" not in settings.chroma
    places = [
        settings.store,
        str(Path(settings.chroma).resolve()) if local else settings.chroma,
        settings.chroma_tenant,
        settings.chroma_database,
        settings.pgvector,
        settings.pgvector_schema,
        settings.mongo_uri,
        settings.mongo_db,
        str(settings.atlas_vector),
        settings.embedder,
        *(str(folder.resolve()) if folder else "" for folder in (settings.model_dir, settings.next_model_dir)),
    ]
    return hashlib.sha256("\0".join(places).encode()).hexdigest()
