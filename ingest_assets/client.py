"""Call the HTTP service from Python: upload files, wait for them, and hand in chunks.

A request that the service cannot take now (429 or 503) is sent again after the time that the service names in
`Retry-After`, and one that did not arrive is sent again too. Every POST carries an `Idempotency-Key`, so that none is
carried out twice. Everything else that the service refuses is a `ServiceRefused` with the code of its problem document
(`docs/api.md`).

    with ServiceClient("http://localhost:7860", key="ia_…", user_id="ann", project_id="reports") as client:
        job = client.wait(client.upload([Path("tides.pdf")]).job_id)
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from ingest_assets.errors import BadInput, ConfigError, OutsideError

if TYPE_CHECKING:
    import httpx

TRIES = 6
"""With the longest waits, a service that is restarted has a minute to come back."""
_LONGEST_WAIT_S = 30.0
_LOOK_EVERY_S = 0.5
_ENDED = frozenset({"succeeded", "partial", "failed"})
_AGAIN = frozenset({429, 503})


class ServiceRefused(BadInput):
    """The service does not do what was asked."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        """Take the HTTP status, and code and detail of the problem document."""
        super().__init__(detail)
        self.status, self.code = status, code


@dataclass(frozen=True, slots=True)
class ServiceFile:
    """What became of one file of an upload."""

    file_id: str
    filename: str
    state: str
    percent: int = 0
    pages: int = 0
    chunks: int = 0
    error: str = ""
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class ServiceJob:
    """What became of an upload."""

    job_id: str
    state: str
    """receiving, queued, processing, succeeded, partial or failed."""
    files: tuple[ServiceFile, ...] = ()

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens to its files."""
        return self.state in _ENDED


@dataclass(frozen=True, slots=True)
class ServiceBatch:
    """What became of chunks that were handed in."""

    success: bool
    doc_id: str
    total_chunks: int
    indexed_chunks: int
    duplicate_chunks: int
    message: str
    conflicts: tuple[str, ...] = field(default=())


class ServiceClient:
    """A connection to the service, for one user and project."""

    def __init__(
        self, url: str, *, key: str = "", user_id: str = "", project_id: str = "", timeout_s: float = 60.0
    ) -> None:
        """Take the service's address, a key, and the owner; a key of one project supplies the owner by itself.

        Raises:
            ConfigError: the address is no http:// or https:// URL.
        """
        import httpx

        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"{url!r} is no address of the service; write http://HOST:PORT")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=timeout_s)
        self._owner = {name: value for name, value in (("user_id", user_id), ("project_id", project_id)) if value}

    def upload(
        self, files: Iterable[Path], *, replace: Sequence[str] = (), rename: Mapping[str, str] | None = None
    ) -> ServiceJob:
        """Upload files, all or none of them; `replace` names those that may replace others.

        Raises:
            BadInput: a file cannot be read, or, as ServiceRefused, the service does not take them.
            OutsideError: the service is away.
        """
        form = {
            **self._owner,
            "replace_filenames": msgspec.json.encode(list(replace)).decode(),
            "rename_map": msgspec.json.encode(dict(rename or {})).decode(),
        }
        paths = list(files)

        def send(headers: Mapping[str, str]) -> httpx.Response:
            with ExitStack() as opened:
                try:
                    parts = [("files", (path.name, opened.enter_context(path.open("rb")))) for path in paths]
                except OSError as error:
                    raise BadInput(f"{error.filename}: cannot be read ({error.strerror})") from error
                return self._http.post("/upload", data=form, files=parts, headers=dict(headers))

        return msgspec.convert(self._asked(send), type=_JobTaken).job()

    def status(self, job_id: str) -> ServiceJob:
        """Tell what became of an upload.

        Raises:
            ServiceRefused: there is no such upload.
            OutsideError: the service is away.
        """
        answer = self._asked(
            lambda headers: self._http.get("/upload/status", params={"job_id": job_id}, headers=dict(headers))
        )
        return msgspec.convert(answer, type=ServiceJob)

    def wait(self, job_id: str, *, timeout_s: float = 3600.0) -> ServiceJob:
        """Wait until nothing more happens to an upload's files, and tell what became of them.

        Raises:
            ServiceRefused: there is no such upload.
            OutsideError: the service is away, or the time is over.
        """
        deadline = time.monotonic() + timeout_s
        while not (job := self.status(job_id)).has_ended:
            if time.monotonic() > deadline:
                raise OutsideError(f"upload {job_id} is {job.state} after {timeout_s:.0f} s; wait on, or ask later")
            time.sleep(_LOOK_EVERY_S)
        return job

    def add_chunks(self, entity_id: str, chunks: Sequence[Mapping[str, Any]]) -> ServiceBatch:
        """Hand in chunks of one document, as the chunk API describes them; they can be found when this returns.

        Raises:
            ServiceRefused: a chunk is not of the described form; none was taken then.
            OutsideError: the service is away.
        """
        from urllib.parse import quote

        path, body = f"/api/entities/{quote(entity_id, safe='')}/chunks/batch", {"chunks": list(chunks)}
        answer = self._asked(lambda headers: self._http.post(path, json=body, headers=dict(headers)))
        return msgspec.convert(answer, type=ServiceBatch)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def _asked(self, send: _Send) -> Any:
        """Send a request until the service answers it, and return the answer's JSON."""
        import httpx

        headers, reason = {"Idempotency-Key": secrets.token_hex(16)}, ""
        for number in range(TRIES):
            wait_s = min(_LONGEST_WAIT_S, 2.0**number)
            try:
                answer = send(headers)
            except httpx.TransportError as error:
                reason = f"{type(error).__name__}: {error}"
            else:
                if answer.status_code not in _AGAIN:
                    return _json_of(answer)
                reason = str(_problem(answer))
                wait_s = min(_LONGEST_WAIT_S, _seconds(answer.headers.get("retry-after"), otherwise=wait_s))
            if number + 1 < TRIES:
                time.sleep(wait_s)
        raise OutsideError(f"the service at {self._http.base_url} does not do it now ({reason}); try again later")


if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    _Send: TypeAlias = Callable[[Mapping[str, str]], httpx.Response]


class _TakenFile(msgspec.Struct):
    file_id: str
    filename: str


class _JobTaken(msgspec.Struct):
    job_id: str
    state: str
    files: list[_TakenFile]

    def job(self) -> ServiceJob:
        files = tuple(ServiceFile(each.file_id, each.filename, self.state) for each in self.files)
        return ServiceJob(self.job_id, self.state, files)


def _json_of(answer: httpx.Response) -> Any:
    if answer.is_success:
        try:
            return answer.json()
        except ValueError as error:
            raise OutsideError(f"{answer.url} answered with no JSON; is a proxy in front of the service?") from error
    raise _problem(answer)


def _problem(answer: httpx.Response) -> ServiceRefused:
    """Read a problem document; what is none is named by its status."""
    try:
        told = answer.json()
        return ServiceRefused(answer.status_code, str(told["code"]), str(told["detail"]))
    except (ValueError, KeyError, TypeError):
        return ServiceRefused(answer.status_code, "", f"{answer.url.path}: HTTP {answer.status_code}")


def _seconds(value: str | None, *, otherwise: float) -> float:
    return float(value) if value is not None and value.isdecimal() else otherwise
