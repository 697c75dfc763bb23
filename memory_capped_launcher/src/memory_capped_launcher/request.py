"""What a launcher hands over for one run: frozen, and JSON on the wire."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from memory_capped_launcher.limits import Limits


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One run to be executed."""

    run_id: str
    instance_ref: str
    """Dagster's own description of the instance, serialised."""
    resume: bool
    limits: Limits
    folder: str
    """The launcher's folder below the instance's root: the register is in it."""
    log_path: str
    notes: str
    """What the run's first event says besides its limits: why it was launched cold, for instance."""

    @property
    def root(self) -> Path:
        """The launcher's folder."""
        return Path(self.folder)

    def fields(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> RunRequest:
        """Read it back.

        Raises:
            TypeError: a field is missing or unknown: the sender is of another version.
        """
        return cls(**fields | {"limits": Limits(**fields["limits"])})
