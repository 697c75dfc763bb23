"""Find the file that a request names: by its name below the project, and by who brought it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, Query

from ingest_assets.api.admission.scoping import possible
from ingest_assets.api.callers import ReadScopeDep, ServiceDep
from ingest_assets.api.problems import ApiProblem
from ingest_assets.file_ids import client_file_id, file_id_of, key_for
from ingest_assets.index.scope_files import ScopeFiles
from ingest_assets.ledger_records import FileRecord, Origin, Scope

MAX_FILENAME = 1024
"""Bytes of a key on S3 and GCS, so a longer name is none."""
FilenameOption = Annotated[str, Query(min_length=1, max_length=MAX_FILENAME, description="its name below the project")]
OriginOption = Annotated[
    Literal["bucket", "client"] | None,
    Query(description="of two of one name: the file of the bucket, or the document of chunks that were handed in"),
]


def record_of(
    service: ServiceDep, scope: ReadScopeDep, filename: FilenameOption, origin: OriginOption = None
) -> FileRecord:
    """Return the ledger's entry of the file that a request names.

    Raises:
        ApiProblem: 404, there is no such file, or no run has read it yet.
    """
    ids = ids_of(scope, filename, origin)
    for file_id in ids:
        if (record := service.project.store.file(file_id)) is not None:
            return record
    if ScopeFiles(service.project.database).underway(ids):
        raise ApiProblem(404, "not_read", f"{filename[:200]!r}: no run has read it yet; ask again when one has")
    raise no_such_file(filename)


RecordDep = Annotated[FileRecord, Depends(record_of)]


def ids_of(scope: Scope, filename: str, origin: str | None) -> list[str]:
    """Return the ids that a file of this name may have."""
    name = possible(filename)
    in_bucket = file_id_of(key_for(scope.user_id, scope.project_id, name))
    handed_in = client_file_id(scope.user_id, scope.project_id, name)
    return {Origin.BUCKET.value: [in_bucket], Origin.CLIENT.value: [handed_in]}.get(
        origin or "", [in_bucket, handed_in]
    )


def no_such_file(filename: str) -> ApiProblem:
    """Say that the project has no file of this name."""
    return ApiProblem(404, "no_such_file", f"{filename[:200]!r}: no file of this name in the project; see GET /files")
