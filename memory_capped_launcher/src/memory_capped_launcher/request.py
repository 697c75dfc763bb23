"""Describe one run to the process that executes it: a frozen record that travels as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from memory_capped_launcher.limits import RunLimits


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One run to be executed."""

    run_id: str
    instance_ref: str
    """Dagster's own description of the instance, serialised."""
    resume: bool
    limits: RunLimits
    folder: str
    """The launcher's folder below the instance's root; the register is in it."""
    log_path: str
    notes: str
    """What the run's first event says besides its limits, for instance why it was launched cold."""
    keep_connections: bool = True
    """Keep Dagster's SQLite databases open for as long as the run lasts."""
    learn_modules: tuple[str, ...] = ()
    """Modules of which the run notes that it has imported them."""

    @property
    def root(self) -> Path:
        """The launcher's folder."""
        return Path(self.folder)

    @property
    def warm_folder(self) -> Path:
        """The folder of the warm processes' sockets and notes."""
        return self.root / "warm"

    def fields(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them."""
        return asdict(self)

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> RunRequest:
        """Read a request from its fields.

        Raises:
            TypeError: a field is missing or unknown, because the sender has another version of this package.
        """
        read = {"limits": RunLimits(**fields["limits"]), "learn_modules": tuple(fields["learn_modules"])}
        return cls(**fields | read)
