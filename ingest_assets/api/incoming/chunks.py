"""Take chunks that clients have cut, one, many or a stream of lines, and index them before the answer.

Paths, bodies and answers are those of the chunk service that this one replaces. An entity is a project of the user that
INGEST_ENTITY_USER names, or of the user that the key is for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from ingest_assets.access.callers import Caller
from ingest_assets.access.quotas import Use
from ingest_assets.api.admission.scoping import MAX_NAME, scope_of
from ingest_assets.api.callers import ServiceDep, WriterDep
from ingest_assets.api.idempotency import IdempotentRoute
from ingest_assets.api.incoming.chunk_bodies import (
    ChunkAnswer,
    ChunkBatch,
    ChunkBatchAnswer,
    ChunkCreate,
    ChunkLineAnswer,
    ChunkTally,
    chunk_of,
    fault_of,
    single_answer,
)
from ingest_assets.api.problems import ApiProblem, documented, problem_of
from ingest_assets.api.service import Service
from ingest_assets.batches import batches
from ingest_assets.errors import IngestError
from ingest_assets.index.usage import CHARS_A_TOKEN
from ingest_assets.ledger_records import Scope, utc_text
from ingest_assets.local_files import locked
from ingest_assets.stages.client_chunks import MAX_LINE_BYTES, ClientChunk
from ingest_assets.stages.prechunk import BATCH, Answer, Status, add_entity_chunks
from ingest_assets.uploads.names import plain_owner

LINES = "application/x-ndjson"
_WINDOW = 16
"""Texts that are embedded at once. A search that comes meanwhile waits for a third of a second at most."""
_Entity = Annotated[
    str, Path(min_length=1, max_length=MAX_NAME, description="the entity: a project of the entities' user")
]
router = APIRouter(prefix="/api/entities", tags=["chunks"], responses=documented(409, 422), route_class=IdempotentRoute)


class _AnyText(Convertor[str]):
    """A part of a path that takes every text, so that a name which no entity can have is refused with a reason."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("any", _AnyText())


class _RouteOfLines(APIRoute):
    """A route for requests whose body is lines of JSON."""

    def matches(self, scope: AsgiScope) -> tuple[Match, AsgiScope]:
        """Match by path and media type."""
        match, child = super().matches(scope)
        sent = dict(scope.get("headers", ())).get(b"content-type", b"").split(b";")[0].strip().lower()
        return (match, child) if sent == LINES.encode() else (Match.NONE, {})


class _AnswerInLines(Response):
    """An answer that is written while the request is still being read."""

    media_type = LINES

    def __init__(self, lines: AsyncIterator[bytes]) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._lines = lines

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        # Starlette's own streaming answer would read the request to its end, to notice that the client hangs up.
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for line in self._lines:
            await send({"type": "http.response.body", "body": line, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@router.post("/{entity_id:any}/chunks", response_model_exclude_defaults=True, summary="Index one chunk")
def add_chunk(entity_id: _Entity, body: ChunkCreate, service: ServiceDep, caller: WriterDep) -> ChunkAnswer:
    """Index one chunk before the answer. The same chunk again, and other content under its id, change nothing."""
    scope = _scope_of(entity_id, service, caller)
    (answer,) = _added([body], entity_id=entity_id, scope=scope, service=service)
    return single_answer(answer, scope=scope)


async def add_lines(entity_id: _Entity, request: Request, service: ServiceDep, caller: WriterDep) -> Response:
    """Index chunks, one JSON object a line, and answer each line as soon as it is indexed; the last line sums up."""
    scope = await to_thread.run_sync(_scope_of, entity_id, service, caller)
    return _AnswerInLines(_answered(request, _Lines(entity_id, scope, service)))


router.add_api_route(
    "/{entity_id:any}/chunks/batch",
    add_lines,
    methods=["POST"],
    route_class_override=_RouteOfLines,
    include_in_schema=False,  # `add_chunks` describes it
    response_model=None,
)


@router.post(
    "/{entity_id:any}/chunks/batch",
    response_model_exclude_defaults=True,
    summary="Index chunks of one document",
    openapi_extra={
        "requestBody": {
            "content": {LINES: {"schema": {"type": "string", "description": "a chunk a line, each answered by a line"}}}
        }
    },
)
def add_chunks(entity_id: _Entity, body: ChunkBatch, service: ServiceDep, caller: WriterDep) -> ChunkBatchAnswer:
    """Index chunks of one document before the answer, all at once: if one cannot be kept, none is."""
    scope = _scope_of(entity_id, service, caller)
    tally = ChunkTally()
    tally.count(_added(body.chunks, entity_id=entity_id, scope=scope, service=service))
    return tally.answer(scope=scope, doc_id=body.chunks[0].metadata.doc_id)


def _scope_of(entity_id: str, service: Service, caller: Caller) -> Scope:
    user_id = caller.only_user or service.settings.entity_user
    return plain_owner(scope_of(caller, user_id=user_id, project_id=entity_id))


def _added(bodies: Sequence[ChunkCreate], *, entity_id: str, scope: Scope, service: Service) -> list[Answer]:
    doc_id, chunks = bodies[0].metadata.doc_id, []
    for number, body in enumerate(bodies, 1):
        chunk = chunk_of(body, line=number)
        if fault := fault_of(body, chunk, entity_id=entity_id, doc_id=doc_id):
            raise _refused(chunk, fault)
        chunks.append(chunk)
    answers = _indexed(chunks, doc_id=doc_id, scope=scope, service=service)
    for chunk, answer in zip(chunks, answers, strict=True):
        if answer.status is Status.REJECTED:
            raise _refused(chunk, answer.reason)
    return answers


def _refused(chunk: ClientChunk, reason: str) -> ApiProblem:
    detail = f"chunk {chunk.line} ({chunk.chunk_id[:100]!r}): {reason}; nothing was indexed"
    return ApiProblem(400, "wrong_chunk", detail, chunk_id=chunk.chunk_id, place=chunk.line)


def _indexed(chunks: Sequence[ClientChunk], *, doc_id: str, scope: Scope, service: Service) -> list[Answer]:
    project = service.project
    tokens = {chunk.line: -(-len(chunk.text) // CHARS_A_TOKEN) for chunk in chunks}
    needs = service.quotas.reserved(scope, Use(chunks=len(chunks), tokens=sum(tokens.values())))
    with needs, _turn_of(scope, service):
        answers = add_entity_chunks(
            doc_id,
            chunks,
            scope=scope,
            store=project.store,
            embedder=project.embedder,
            now=utc_text(),
            window=_WINDOW,
        )
        new = [tokens[answer.line] for answer in answers if answer.status is Status.INSERTED]
        service.quotas.add_chunks(scope, chunks=len(new), tokens=sum(new))
    return answers


def _turn_of(scope: Scope, service: Service) -> AbstractContextManager[None]:
    """Let one request at a time add to an entity: two documents must not get one id at the same moment."""
    name = hashlib.sha256(f"{scope.user_id}/{scope.project_id}".encode()).hexdigest()[:3]
    return locked(service.settings.home / "locks" / f"entity-{name}")


class _Lines:
    """The lines of one request: what they hold, and what became of them."""

    def __init__(self, entity_id: str, scope: Scope, service: Service) -> None:
        self._entity_id, self._scope, self._service = entity_id, scope, service
        self._doc_id = ""
        self._number = 0
        self._tally = ChunkTally()

    def take(self, lines: Sequence[bytes]) -> list[Answer]:
        """Index what is sound in some lines, and answer each line that is not empty."""
        told: list[Answer] = []
        for group in batches(lines, BATCH):
            read = [each for line in group if (each := self._read(line)) is not None]
            chunks = [each for each in read if isinstance(each, ClientChunk)]
            made: list[Answer] = []
            if chunks:
                made = _indexed(chunks, doc_id=self._doc_id, scope=self._scope, service=self._service)
            done = {answer.line: answer for answer in made}
            told += [each if isinstance(each, Answer) else done[each.line] for each in read]
        self._tally.count(told)
        return told

    def summary(self) -> ChunkBatchAnswer:
        """Return what became of all of them."""
        return self._tally.answer(scope=self._scope, doc_id=self._doc_id)

    def _read(self, line: bytes) -> ClientChunk | Answer | None:
        self._number += 1
        if not line.strip():
            return None
        if len(line) > MAX_LINE_BYTES:
            return self._rejected(f"the line is longer than {MAX_LINE_BYTES} bytes; cut the document into chunks first")
        try:
            body = ChunkCreate.model_validate_json(line)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(str(part) for part in found["loc"])
            return self._rejected(f"not a chunk: {where}: {found['msg']}" if where else f"not a chunk: {found['msg']}")
        chunk = chunk_of(body, line=self._number)
        doc_id = self._doc_id or chunk.doc_id
        if fault := fault_of(body, chunk, entity_id=self._entity_id, doc_id=doc_id):
            return self._rejected(fault, doc_id=chunk.doc_id, chunk_id=chunk.chunk_id)
        self._doc_id = doc_id
        return chunk

    def _rejected(self, reason: str, *, doc_id: str = "", chunk_id: str = "") -> Answer:
        return Answer(self._number, doc_id, chunk_id, Status.REJECTED, reason)


async def _answered(request: Request, lines: _Lines) -> AsyncIterator[bytes]:
    """Answer lines as they come. What was answered stays indexed, also if the client hangs up or the store is away."""
    try:
        async for whole in _whole_lines(request):
            for answer in await to_thread.run_sync(lines.take, whole):
                yield _as_line(answer)
        yield lines.summary().model_dump_json().encode() + b"\n"
    except ClientDisconnect:
        return
    except (ApiProblem, IngestError) as error:  # the status is sent already: the last line says what went wrong
        problem = error if isinstance(error, ApiProblem) else problem_of(error)
        told = {"success": False, "code": problem.code, "detail": problem.detail, "status": problem.status}
        yield json.dumps(told).encode() + b"\n"


def _as_line(answer: Answer) -> bytes:
    told = ChunkLineAnswer(
        line=answer.line,
        doc_id=answer.doc_id,
        chunk_id=answer.chunk_id,
        status=answer.status,
        message=answer.reason,
    )
    return told.model_dump_json().encode() + b"\n"


async def _whole_lines(request: Request) -> AsyncIterator[list[bytes]]:
    """Yield the lines that are there, as the body arrives. Of a line that is too long, only its beginning is held."""
    rest = b""
    async for piece in request.stream():
        *whole, rest = (rest + piece).split(b"\n")
        if whole:
            yield whole
        rest = rest[: MAX_LINE_BYTES + 1]
    if rest:
        yield [rest]
