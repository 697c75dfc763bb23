"""Find the chunks that are nearest in meaning to a question, in one project, in some, or in all of a user's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from ingest_assets.access.callers import Caller
from ingest_assets.api.admission.scoping import MAX_NAME, possible, scope_of, user_of
from ingest_assets.api.callers import AdminDep, ReaderDep, ServiceDep
from ingest_assets.api.documents.file_answers import SearchAnswer, SearchHit
from ingest_assets.api.idempotency import IdempotentRoute
from ingest_assets.api.problems import ApiProblem, documented
from ingest_assets.api.service import Service
from ingest_assets.ledger_records import Filter, Hit, JsonScalar, Scope
from ingest_assets.stages.retrieval.search import MAX_QUERY_CHARACTERS, MAX_RESULTS, question_vector, search_projects

if TYPE_CHECKING:
    from ingest_assets.project import Project

MAX_PROJECTS = 100
"""Projects of one search: each is searched alone."""
_MAX_PAGES = 10_000
_Value = Annotated[str, Field(min_length=1, max_length=1_024)]
_Values = Annotated[list[_Value], Field(min_length=1, max_length=100)]
_Page = Annotated[int, Field(ge=1, le=2**31 - 1)]
_Number = Annotated[float, Field(allow_inf_nan=False)]
_Scalar = Annotated[str, Field(max_length=1_024)] | Annotated[int, Field(ge=-(2**63), lt=2**63)] | _Number | bool
router = APIRouter(tags=["search"], responses=documented(), route_class=IdempotentRoute)


class PageRange(BaseModel):
    """Pages from one to another."""

    model_config = ConfigDict(extra="forbid")

    first: _Page
    last: _Page


class SearchFilters(BaseModel):
    """What a chunk must be to be returned. All parts have to agree; of several values one is enough."""

    model_config = ConfigDict(extra="forbid")

    filename: _Value | _Values | None = Field(default=None, description="its file's name, or names")
    media_type: _Value | _Values | None = None
    section: _Value | _Values | None = Field(default=None, description="a title above it, word for word")
    pages: Annotated[list[_Page], Field(min_length=1, max_length=1_000)] | PageRange | None = None
    metadata: dict[str, _Scalar | Annotated[list[_Scalar], Field(min_length=1, max_length=100)]] = Field(
        default={}, max_length=20, description="fields of the client that handed the chunk in, with a value or values"
    )


class SearchRequest(BaseModel):
    """A question, and where to look for the answer."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=MAX_QUERY_CHARACTERS)
    user_id: str = Field(default="", max_length=MAX_NAME, description="may be left out where the key is for one only")
    project_id: str = Field(default="", max_length=MAX_NAME)
    projects: Annotated[list[_Value], Field(min_length=1, max_length=MAX_PROJECTS)] | None = Field(
        default=None, description="several projects; without these and project_id, all of the user's"
    )
    k: int = Field(default=10, ge=1, le=MAX_RESULTS, description="how many hits at most")
    filters: SearchFilters = SearchFilters()
    min_score: float = Field(default=-1.0, ge=-1.0, le=1.0, description="hits below it are left out")


@router.post("/search", summary="Search by meaning")
def search(service: ServiceDep, caller: ReaderDep, body: SearchRequest) -> SearchAnswer:
    """Find the chunks nearest in meaning to a question; only those of the projects that are named or the key is for."""
    project = service.project
    found = _found(service, caller, body, project=project)
    below, pictures = service.settings.root_path, service.hit_pictures
    return SearchAnswer(
        hits=[
            SearchHit.of_hit(hit, scope, captions=pictures.of(hit.chunk, project=project), below=below)
            for scope, hit in found
        ]
    )


@router.post("/search/hits", include_in_schema=False)  # for `ingest search` (`cli/files/service_search.py`)
def search_hits(service: ServiceDep, caller: AdminDep, body: SearchRequest) -> Response:
    """Find what `search` finds, and answer with the records as they are, for commands that print all their fields."""
    hits = [hit for _, hit in _found(service, caller, body, project=service.project)]
    return Response(msgspec.json.encode(hits), media_type="application/json")


def _found(service: Service, caller: Caller, body: SearchRequest, *, project: Project) -> list[tuple[Scope, Hit]]:
    scopes, filters = _scopes(service, caller, body), _filter(body.filters)
    try:
        with service.traces.part("embed question", characters=len(body.query)):
            vector = question_vector(body.query, embedder=project.embedder)
        with service.traces.part("search store", projects=len(scopes), k=body.k):
            found = search_projects(
                vector, k=body.k, scopes=scopes, store=project.store, filters=filters, min_score=body.min_score
            )
    except ValueError as error:
        raise ApiProblem(400, "wrong_query", str(error)) from error
    service.found_files.add(hit.chunk.file_id for _, hit in found)
    return found


def _scopes(service: Service, caller: Caller, body: SearchRequest) -> list[Scope]:
    """Return the projects to search."""
    if body.project_id and body.projects is not None:
        raise ApiProblem(400, "wrong_request", "project_id and projects are both there; name one of them")
    if body.project_id:
        return [scope_of(caller, user_id=body.user_id, project_id=body.project_id)]
    user_id = user_of(caller, user_id=body.user_id)
    if body.projects is not None:
        return [scope_of(caller, user_id=user_id, project_id=name) for name in dict.fromkeys(body.projects)]
    allowed = caller.projects_of(user_id)
    names: Sequence[str] = service.project.store.projects(user_id) if allowed is None else allowed
    if len(names) > MAX_PROJECTS:
        detail = f"the user has {len(names)} projects; name up to {MAX_PROJECTS} of them in projects"
        raise ApiProblem(400, "too_many_projects", detail)
    return [Scope(user_id, name) for name in names]


def _filter(body: SearchFilters) -> Filter:
    pages = body.pages
    if isinstance(pages, PageRange):
        if not 0 <= pages.last - pages.first < _MAX_PAGES:
            detail = f"filters.pages: first to last must go up, over {_MAX_PAGES} pages at most"
            raise ApiProblem(400, "wrong_request", detail)
        pages = list(range(pages.first, pages.last + 1))
    return Filter(
        filenames=_values(body.filename),
        media_types=_values(body.media_type),
        sections=_values(body.section),
        pages=tuple(pages or ()),
        metadata={possible(name): _scalars(value) for name, value in body.metadata.items()},
    )


def _values(given: str | list[str] | None) -> tuple[str, ...]:
    return tuple(possible(value) for value in ([given] if isinstance(given, str) else given or ()))


def _scalars(given: JsonScalar | list[JsonScalar]) -> tuple[JsonScalar, ...]:
    values = given if isinstance(given, list) else [given]
    return tuple(possible(value) if isinstance(value, str) else value for value in values)
