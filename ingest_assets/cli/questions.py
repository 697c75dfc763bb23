"""Answer the questions of `ingest search`, one from the command line or one from each line of standard input."""

from __future__ import annotations

import difflib
import sys
from typing import TYPE_CHECKING

from ingest_assets.cli.tables.file_tables import plain_hit, show_hits
from ingest_assets.cli.tables.output import print_json, told_if_slow
from ingest_assets.errors import BadInput, ConfigError

if TYPE_CHECKING:
    from ingest_assets.ledger_records import Hit, Scope
    from ingest_assets.project import Project


def answer(project: Project, query: str, *, scope: Scope, k: int, as_json: bool) -> None:
    """Print the answers to one question.

    Raises:
        BadInput: the owner has no files, so that nothing can be answered.
        ConfigError: the question is empty or too long.
    """
    show_hits(query, _hits(project, query, scope=scope, k=k), as_json=as_json)


def answer_lines(project: Project, *, scope: Scope, k: int, as_json: bool) -> None:
    """Print the answers to each line of standard input, as it comes; empty lines are passed over.

    Raises:
        BadInput: as `answer`.
        ConfigError: a line is not valid UTF-8 or too long.
    """
    if sys.stdin.isatty():
        sys.stderr.write("a question a line; Ctrl-D ends\n")
    for line in sys.stdin.buffer:
        try:
            query = line.decode().strip()
        except UnicodeDecodeError as error:
            raise ConfigError(f"the question {line!r} is not valid UTF-8") from error
        if not query:
            continue
        hits = _hits(project, query, scope=scope, k=k)
        if as_json:
            print_json({"query": query, "hits": [plain_hit(hit) for hit in hits]}, indent=0)
        else:
            show_hits(query, hits, as_json=False)


def _hits(project: Project, query: str, *, scope: Scope, k: int) -> list[Hit]:
    from ingest_assets.stages.search import search

    try:
        with told_if_slow("loading the embedding model"):
            hits = search(query, k=k, scope=scope, embedder=project.embedder, store=project.store)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if not hits:
        _require_files(project, scope)
    return hits


def _require_files(project: Project, scope: Scope) -> None:
    """Distinguish a project without answers from one that does not exist, for example because of a typing error."""
    from ingest_assets.cli.opening import place_of
    from ingest_assets.stores.contract import all_records

    if project.store.files(scope, limit=1):
        return
    owners = sorted({f"{record.user_id} -p {record.project_id}" for record in all_records(project.store)})
    if not owners:
        raise BadInput(f"there are no files at all in {place_of(project.settings)}; add some with `ingest add`")
    asked = f"{scope.user_id} -p {scope.project_id}"
    near = difflib.get_close_matches(asked, owners, n=1)
    hint = f"did you mean -u {near[0]}?" if near else "`ingest files` lists what there is"
    raise BadInput(f"-u {asked}: no files of this user and project; {hint}")
