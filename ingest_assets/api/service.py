"""Hold the parts that the endpoints use, opened when the service starts and closed when it ends."""

from __future__ import annotations

import secrets
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from ingest_assets.access.callers import ALL, Caller, KeyRole
from ingest_assets.access.key_entries import read_entries
from ingest_assets.access.networks import read_networks
from ingest_assets.api.keys import Keys
from ingest_assets.api.throttling import Throttle
from ingest_assets.project import Project

if TYPE_CHECKING:
    from ingest_assets.config.settings import Settings


class Service:
    """The service of one project."""

    def __init__(self, settings: Settings) -> None:
        """Take the settings; what they name is opened when it is first used."""
        self.settings = settings
        self.local_token = secrets.token_urlsafe(32)
        """What `ingest` on this machine proves itself with; it changes at each start (`service_address.py`)."""
        self.open_to = read_networks(settings.open_to, name="INGEST_OPEN_TO")
        self.trusted_proxies = read_networks(settings.trusted_proxies, name="INGEST_TRUSTED_PROXIES")
        self.throttle = Throttle(settings.rate_limit)
        self._opening = Lock()

    @cached_property
    def _project(self) -> Project:
        return Project(self.settings)

    @property
    def project(self) -> Project:
        """The bucket, the store, the index and the models, of the model that is in use now."""
        with self._opening:  # endpoints run in many threads, and the parts are opened when they are first used
            self._project.follow_model_change()
            return self._project

    @cached_property
    def keys(self) -> Keys:
        """The keys that callers have."""
        return Keys(self._project.database, fixed=read_entries(self.settings.api_keys))

    def caller_on_this_machine(self, token: str) -> Caller | None:
        """Return the operator who calls with the token of this start; None if it is another one."""
        return Caller(KeyRole.ADMIN, ALL, "local") if secrets.compare_digest(token, self.local_token) else None

    def open(self) -> None:
        """Open the store and load the model, so that the first request waits for neither.

        Raises:
            ConfigError: something is set up wrongly.
            OutsideError: a service is away.
        """
        _ = self.keys
        project = self.project
        _ = project.store, project.index, project.bucket
        project.embedder.embed(["ready"])

    def close(self) -> None:
        """Close connections and files."""
        self._project.close()
