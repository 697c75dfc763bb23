"""Leave a note beside the instance of where the service answers, for the commands of this machine.

The note holds a token that lets its reader act as the operator, so only the user who runs the service may read it. It
changes at each start.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

_NAME = "service.json"


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """Where the service of this home answers."""

    url: str
    token: str
    process: int
    """Its process id."""


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
