"""Hold the parts that the endpoints use, opened when the service starts and closed when it ends."""

from __future__ import annotations

import logging
import secrets
import time
from contextlib import ExitStack
from functools import cached_property
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from ingest_assets.access.callers import ALL, Caller, KeyRole
from ingest_assets.access.key_entries import read_entries
from ingest_assets.access.networks import read_networks
from ingest_assets.api.admission.keys import Keys
from ingest_assets.api.admission.quotas import Quotas
from ingest_assets.api.admission.sessions import Sessions
from ingest_assets.api.admission.throttling import Throttle
from ingest_assets.api.admission.upload_slots import UploadSlots
from ingest_assets.api.figures import ServiceFigures
from ingest_assets.api.pictures.hit_pictures import HitPictures
from ingest_assets.api.pictures.page_pictures import PagePictures
from ingest_assets.api.tracing import Traces
from ingest_assets.errors import ConfigError, OutsideError
from ingest_assets.index.search_counts import FoundFiles
from ingest_assets.messaging.resident_loop import ResidentAction, repeat_until_stopped
from ingest_assets.project import Project
from ingest_assets.uploads.idempotency import RepeatedRequests
from ingest_assets.uploads.keeping import Keeping
from ingest_assets.uploads.opening import open_keeping

if TYPE_CHECKING:
    from ingest_assets.config.settings import Settings

_FINISH_EVERY_S = 5.0
_ADD_UP_EVERY_S = 30.0
_MODEL_KNOWN_S = 0.2
"""A look at which model is in use holds for so long: a request asks for the parts several times, and a look is a query.
The space of the model before stays whole meanwhile."""
_log = logging.getLogger(__name__)


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
        self.upload_slots = UploadSlots(settings.max_uploads)
        self.page_pictures = PagePictures()
        """Pages as pictures, for people."""
        self.quotas = Quotas(settings, lambda: self.project)
        self.figures = ServiceFigures(lambda: self.project)
        self.traces = Traces(settings.otel_endpoint)
        self.hit_pictures = HitPictures()
        self.found_files = FoundFiles()
        """What searches have found and is not added up yet."""
        self._opening = Lock()
        self._model_known_until = 0.0
        self._held = ExitStack()
        self.is_ending = Event()
        """Set when the service is to end: streams of events end then, because the service waits for them."""
        self.open_jobs = ResidentAction("uploads", self._finish_jobs, every_s=_FINISH_EVERY_S)
        """What finishes jobs that wait for a copy, or that a killed service left; set its `wake` to have it look."""
        self._background = Thread(target=self._work, name="jobs", daemon=True)

    @cached_property
    def _project(self) -> Project:
        return Project(self.settings)

    @property
    def project(self) -> Project:
        """The bucket, the store, the index and the models, of the model that is in use now."""
        with self._opening:  # endpoints run in many threads, and the parts are opened when they are first used
            if time.monotonic() > self._model_known_until:
                self._project.follow_model_change()
                self._model_known_until = time.monotonic() + _MODEL_KNOWN_S
            return self._project

    @cached_property
    def keys(self) -> Keys:
        """The keys that callers have."""
        return Keys(self._project.database, fixed=read_entries(self.settings.api_keys))

    @cached_property
    def sessions(self) -> Sessions:
        """The sessions of people who have signed in on the page."""
        return Sessions(self._project.database, keys=self.keys)

    @cached_property
    def keeping(self) -> Keeping:
        """What keeps uploads, and knows the jobs."""
        return open_keeping(self._project)

    @cached_property
    def requests(self) -> RepeatedRequests:
        """The answers to requests that may be sent again."""
        return RepeatedRequests(self._project.database)

    def _finish_jobs(self) -> str:
        finished = self.keeping.finish_open()
        return f"{finished} jobs looked at again" if finished else ""

    def _add_up_searches(self) -> str:
        self._project.search_counts.add(self.found_files.take())
        return ""

    def _work(self) -> None:
        searches = ResidentAction("searches", self._add_up_searches, every_s=_ADD_UP_EVERY_S)
        try:
            repeat_until_stopped([self.open_jobs, searches], stop=self.is_ending, log=_log.info)
        except ConfigError as error:
            _log.error("uploads: %s; start the service again when that is repaired", error)

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
        self._held.enter_context(project.database.held_open())
        self._background.start()

    def close(self) -> None:
        """Close connections and files."""
        self.is_ending.set()
        if self._background.is_alive():
            self._background.join()
        try:
            self._add_up_searches()
        except OutsideError as error:
            _log.warning("searches: what was counted last is lost: %s", error)
        self._held.close()
        self.traces.close()
        self._project.close()
