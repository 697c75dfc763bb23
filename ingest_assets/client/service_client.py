"""Call the HTTP service from Python: upload files, hand in chunks, search, and list, read and remove what is there.

A request that the service cannot take now (429 or 503) is sent again after the time that the service names in
`Retry-After`, and one that did not arrive is sent again too. Every POST carries an `Idempotency-Key`, so that none is
carried out twice. Everything else that the service refuses is a `ServiceRefused` with status, code and detail of its
problem document (`docs/api.md`). The `OutsideError` after the last try has the last refusal as its cause.

    with ServiceClient("http://localhost:7860", key="ia_…", user_id="ann", project_id="reports") as client:
        job = client.wait(client.upload([Path("tides.pdf")]).job_id)
        hits = client.search("when does the tide turn?", k=3)
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from ingest_assets.client.answers import ServiceBatch, ServiceChunk, ServiceDocument, ServiceHit, ServiceJob, TakenJob
from ingest_assets.errors import BadInput, ConfigError, OutsideError

if TYPE_CHECKING:
    import httpx

TRIES = 6
"""With the longest waits, a service that is restarted has a minute to come back."""
_LONGEST_WAIT_S = 30.0
_PAGE = 200
"""Files or chunks of one request."""
_LOOK_EVERY_S = 0.5
_AGAIN = frozenset({429, 503})


class ServiceRefused(BadInput):
    """The service does not do what was asked."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        """Take the HTTP status, and code and detail of the problem document."""
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


class ServiceClient:
    """A connection to the service, for one user and project."""

    def __init__(
        self,
        url: str,
        *,
        key: str = "",
        user_id: str = "",
        project_id: str = "",
        timeout_s: float = 60.0,
        tries: int = TRIES,
    ) -> None:
        """Take the service's address, a key, and the owner; a key of one project supplies the owner by itself.

        `timeout_s` is how long to wait for an answer, `tries` how often a request is sent before it is given up.

        Raises:
            ConfigError: the address is no http:// or https:// URL.
        """
        import httpx

        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"{url!r} is no address of the service; write http://HOST:PORT")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=timeout_s)
        self._owner = {name: value for name, value in (("user_id", user_id), ("project_id", project_id)) if value}
        self._tries = tries

    def upload(
        self,
        files: Iterable[Path],
        *,
        replace: Sequence[str] = (),
        rename: Mapping[str, str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> ServiceJob:
        """Upload files, all or none of them; `replace` names those that may replace others.

        The chunks of the files carry `metadata`; without it, files that are there keep what was said of them before.

        Raises:
            BadInput: a file cannot be read, or, as ServiceRefused, the service does not take them.
            OutsideError: the service is away.
        """
        form = {
            **self._owner,
            "replace_filenames": msgspec.json.encode(list(replace)).decode(),
            "rename_map": msgspec.json.encode(dict(rename or {})).decode(),
            "metadata": "" if metadata is None else msgspec.json.encode(dict(metadata)).decode(),
        }
        paths = list(files)

        def send(headers: dict[str, str]) -> httpx.Response:
            with ExitStack() as opened:
                try:
                    parts = [("files", (path.name, opened.enter_context(path.open("rb")))) for path in paths]
                except OSError as error:
                    raise BadInput(f"{error.filename}: cannot be read ({error.strerror})") from error
                return self._http.post("/upload", data=form, files=parts, headers=headers)

        return msgspec.convert(self._asked(send), type=TakenJob).job()

    def status(self, job_id: str) -> ServiceJob:
        """Tell what became of an upload.

        Raises:
            ServiceRefused: there is no such upload.
            OutsideError: the service is away.
        """
        return msgspec.convert(self._got("/upload/status", {"job_id": job_id}), type=ServiceJob)

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

        path = f"/api/entities/{quote(entity_id, safe='')}/chunks/batch"
        return msgspec.convert(self._posted(path, {"chunks": list(chunks)}), type=ServiceBatch)

    def ingest_file(
        self,
        location: str,
        *,
        filename: str = "",
        replace: bool = True,
        callback: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> ServiceJob:
        """Have a file ingested by where it lies: a key of the bucket, or s3://BUCKET/NAME or gs://BUCKET/NAME.

        `filename` and `replace` are for the copy of an object outside of the bucket; `callback` is a URL that is told
        of each change.

        Raises:
            ServiceRefused: there is no such file, or the service may not copy from there.
            OutsideError: the service is away.
        """
        is_outside = "://" in location  # a key of the bucket names its owner
        body = {
            "location": location,
            **(self._owner if is_outside else {}),
            "filename": filename,
            "replace": replace,
            "callback": callback,
            "metadata": None if metadata is None else dict(metadata),
        }
        return msgspec.convert(self._posted("/ingest-file", body), type=TakenJob).job()

    def files(self, *, offset: int = 0) -> Iterator[ServiceDocument]:
        """Yield the project's files, those that no run has tried yet first; `offset` passes over so many.

        Raises:
            ServiceRefused: the key is not for the project.
            OutsideError: the service is away.
        """
        for page in self._pages("/files", {}, offset=offset):
            yield from msgspec.convert(page["files"], type=list[ServiceDocument])

    def chunks(self, filename: str, *, origin: str = "") -> Iterator[ServiceChunk]:
        """Yield the chunks in force of a file, in document order.

        `filename` is its name below the project; `origin` (bucket or client) chooses between two of one name.

        Raises:
            ServiceRefused: there is no such file, or no run has read it yet.
            OutsideError: the service is away.
        """
        for page in self._pages("/files/chunks", _named(filename, origin), offset=0):
            yield from msgspec.convert(page["chunks"], type=list[ServiceChunk])

    def content(self, filename: str, *, origin: str = "", form: str = "markdown") -> str:
        """Return a document as it was read; `form` is markdown, or json with every element.

        Raises:
            ServiceRefused: there is no such file, or no run has read it yet.
            OutsideError: the service is away.
        """
        return "".join(self.content_pieces(filename, origin=origin, form=form))

    def content_pieces(self, filename: str, *, origin: str = "", form: str = "markdown") -> Iterator[str]:
        """Yield a document as `content` returns it, piece by piece as it comes.

        Raises:
            ServiceRefused, OutsideError: as for `content`.
        """
        import httpx

        wanted = self._owner | _named(filename, origin) | {"format": form}
        request = self._http.build_request("GET", "/files/content", params=wanted)
        with closing(self._answered(lambda _: self._http.send(request, stream=True))) as answer:
            try:
                yield from answer.iter_text()
            except httpx.TransportError as error:
                raise OutsideError(f"{filename}: the answer broke off ({type(error).__name__}); ask again") from error

    def search(
        self,
        query: str,
        *,
        k: int = 10,
        projects: Sequence[str] = (),
        filters: Mapping[str, Any] | None = None,
        min_score: float = -1.0,
    ) -> list[ServiceHit]:
        """Find the chunks nearest in meaning to a question, best first.

        `projects` are searched instead of the client's own; `filters` are those of `POST /search`; hits below
        `min_score` are left out.

        Raises:
            ServiceRefused: the question or a filter is wrong, or the key is not for a project.
            OutsideError: the service is away.
        """
        owner = {"user_id": self._owner.get("user_id", ""), "projects": list(projects)} if projects else self._owner
        body = {"query": query, **owner, "k": k, "filters": dict(filters or {}), "min_score": min_score}
        return msgspec.convert(self._posted("/search", body)["hits"], type=list[ServiceHit])

    def delete(self, filename: str, *, origin: str = "") -> int:
        """Remove a file from the bucket and everything that is kept of it; return how many chunks went with it.

        Raises:
            ServiceRefused: there is no such file (also where the answer to its removal was lost), or a run reads it.
            OutsideError: the service is away.
        """
        wanted = self._owner | _named(filename, origin)
        answer = self._asked(lambda headers: self._http.delete("/files", params=wanted, headers=headers))
        return msgspec.convert(answer["chunks"], type=int)

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

    def _pages(self, path: str, wanted: Mapping[str, str], *, offset: int) -> Iterator[Any]:
        at: int | None = offset
        while at is not None:
            page = self._got(path, self._owner | dict(wanted) | {"limit": str(_PAGE), "offset": str(at)})
            yield page
            at = page["next_offset"]

    def _got(self, path: str, wanted: Mapping[str, str]) -> Any:
        return self._asked(lambda headers: self._http.get(path, params=dict(wanted), headers=headers))

    def _posted(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._asked(lambda headers: self._http.post(path, json=dict(body), headers=headers))

    def _asked(self, send: _Send) -> Any:
        answer = self._answered(send)
        try:
            return answer.json()
        except ValueError as error:
            raise OutsideError(f"{answer.url} answered with no JSON; is a proxy in front of the service?") from error

    def _answered(self, send: _Send) -> httpx.Response:
        """Send a request until the service answers it."""
        import httpx

        headers = {"Idempotency-Key": secrets.token_hex(16)}
        reason: Exception | None = None
        for number in range(self._tries):
            wait_s = min(_LONGEST_WAIT_S, 2.0**number)
            try:
                answer = send(headers)
            except httpx.TransportError as error:
                reason = error
            else:
                if answer.is_success:
                    return answer
                reason = _problem(answer)
                if answer.status_code not in _AGAIN:
                    raise reason
                wait_s = min(_LONGEST_WAIT_S, _seconds(answer.headers.get("retry-after"), otherwise=wait_s))
            if number + 1 < self._tries:
                time.sleep(wait_s)
        told = str(reason) if isinstance(reason, ServiceRefused) else f"{type(reason).__name__}: {reason}"
        raise OutsideError(
            f"the service at {self._http.base_url} does not do it now ({told}); try again later"
        ) from reason


if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    _Send: TypeAlias = Callable[[dict[str, str]], httpx.Response]


def _named(filename: str, origin: str) -> dict[str, str]:
    return {"filename": filename, **({"origin": origin} if origin else {})}


def _problem(answer: httpx.Response) -> ServiceRefused:
    """Read a problem document to its end; what is none is named by its status."""
    try:
        answer.read()
        told = answer.json()
        return ServiceRefused(answer.status_code, str(told["code"]), str(told["detail"]))
    except (ValueError, KeyError, TypeError):
        return ServiceRefused(answer.status_code, "", f"{answer.url.path}: HTTP {answer.status_code}")


def _seconds(value: str | None, *, otherwise: float) -> float:
    return float(value) if value is not None and value.isdecimal() else otherwise
