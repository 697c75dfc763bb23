"""Declare the options and exit codes that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from ingest_assets.errors import BadInput, ConfigError
from ingest_assets.file_ids import key_for
from ingest_assets.ledger_records import Scope

EXIT_PROBLEM = 1
"""A file ended failed or partial, was not found, or nothing can be answered."""
EXIT_USAGE = 2
"""Wrong arguments or settings, or a home or store that was never prepared."""
EXIT_OUTSIDE = 3
"""A service is away; the same command works when it is back."""
EXIT_LEFT = 4
"""Files are still pending."""
EXIT_INTERRUPTED = 130
"""Ctrl-C: 128 and the number of SIGINT, as shells report it."""

UserOption = Annotated[str, typer.Option("--user", "-u", metavar="USER", help="the owner of the files")]
ProjectOption = Annotated[str, typer.Option("--project", "-p", metavar="PROJECT", help="the owner's project")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON, for programs")]
FileArgument = Annotated[
    str,
    typer.Argument(
        metavar="FILE", help="USER/PROJECT/FILENAME, as `ingest files --json` has it under `key`; or the partition key"
    ),
]


def scope_of(user: str, project: str) -> Scope:
    """Make the scope of an owner's project.

    Raises:
        ConfigError: one of them is empty or cannot be part of a key.
    """
    if not user or not project:
        raise ConfigError("--user and --project must not be empty")
    try:
        key_for(user, project, "any")
    except BadInput as error:
        raise ConfigError(str(error)) from error
    return Scope(user_id=user, project_id=project)
