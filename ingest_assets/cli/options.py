"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from ingest_assets.errors import ConfigError
from ingest_assets.file_ids import key_for
from ingest_assets.ledger_records import Scope

User = Annotated[str, typer.Option("--user", "-u", help="who owns the files")]
Project = Annotated[str, typer.Option("--project", "-p", help="the project they belong to")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


def scope_of(user: str, project: str) -> Scope:
    """Take a user and a project for the owner of files.

    Raises:
        ConfigError: one of them is empty.
        BadInput: one of them cannot be part of a key.
    """
    if not user or not project:
        raise ConfigError("--user and --project must not be empty")
    key_for(user, project, "any")
    return Scope(user_id=user, project_id=project)
