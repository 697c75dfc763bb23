"""Answer the questions of `ingest search`, one from the command line or one from each line of standard input.

A service that runs on this machine has the model loaded and the store open, so it is asked first (`service_search.py`).
Where it does not answer, this process does, which takes seconds to load the model.
"""

from __future__ import annotations

import difflib
import sys
from functools import cached_property
from typing import TYPE_CHECKING

from ingest_assets.cli.files.service_search import ServiceSearch
from ingest_assets.cli.tables.file_tables import plain_hit, show_hits
from ingest_assets.cli.tables.output import print_json, told_if_slow
from ingest_assets.errors import BadInput, ConfigError

if TYPE_CHECKING:
    from ingest_assets.config.settings import Settings
    from ingest_assets.ledger_records import Hit, Scope
    from ingest_assets.project import Project


class Answers:
    """What finds the chunks of one project that answer questions."""

    def __init__(self, settings: Settings, *, scope: Scope, k: int) -> None:
        """Take the settings, the project to search, and how many answers to give."""
        self._settings, self._scope, self._k = settings, scope, k
        self._service = ServiceSearch(settings)

    def to(self, query: str) -> list[Hit]:
        """Return the answers to a question, best first.

        Raises:
            BadInput: the owner has no files, so that nothing can be answered.
            ConfigError: the question is empty or too long.
            OutsideError: the store is away.
        """
        hits = self._service.hits(query, scope=self._scope, k=self._k)
        if hits is None:
            hits = self._own_hits(query)
        if not hits:
            _require_files(self._project, self._scope)
        return hits

    @cached_property
    def _project(self) -> Project:
        from ingest_assets.project import Project

        return Project(self._settings, prepares=False)

    def _own_hits(self, query: str) -> list[Hit]:
        from ingest_assets.stages.retrieval.search import search

        project = self._project
        try:
            with told_if_slow("loading the embedding model"):
                return search(query, k=self._k, scope=self._scope, embedder=project.embedder, store=project.store)
        except ValueError as error:
            raise ConfigError(str(error)) from error


def answer(answers: Answers, query: str, *, as_json: bool) -> None:
    """Print the answers to one question.

    Raises:
        BadInput: as `Answers.to`.
        ConfigError: as `Answers.to`.
    """
    show_hits(query, answers.to(query), as_json=as_json)


def answer_lines(answers: Answers, *, as_json: bool) -> None:
    """Print the answers to each line of standard input, as it comes; empty lines are passed over.

    Raises:
        BadInput: as `Answers.to`.
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
        hits = answers.to(query)
        if as_json:
            print_json({"query": query, "hits": [plain_hit(hit) for hit in hits]}, indent=0)
        else:
            show_hits(query, hits, as_json=False)


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
