"""Find out which user and project a request is about, and refuse names that no owner can have."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from ingest_assets.access.callers import Caller
from ingest_assets.errors import BadInput
from ingest_assets.file_ids import key_for
from ingest_assets.ledger_records import Scope

MAX_NAME = 255
"""Characters of a user's or project's name: what a folder's name may have."""
OwnerName = Annotated[str, Query(max_length=MAX_NAME, description="may be left out where the key is for one only")]


def scope_of(caller: Caller, *, user_id: str, project_id: str) -> Scope:
    """Return the project that a request is about.

    Raises:
        BadInput: the request names none, or a name that no user or project can have.
        Forbidden: the key is not for it.
    """
    scope = caller.scope(possible(user_id), possible(project_id))
    key_for(scope.user_id, scope.project_id, "any")  # refuses slashes and dots
    return scope


def user_of(caller: Caller, *, user_id: str) -> str:
    """Return the user that a request is about.

    Raises:
        BadInput: the request names none, or a name that no user can have.
        Forbidden: the key is not for any project of the user.
    """
    user = caller.user(possible(user_id))
    key_for(user, "any", "any")
    return user


def possible(name: str) -> str:
    """Return a name that stores can keep.

    Raises:
        BadInput: it holds NUL or half a surrogate pair.
    """
    if "\0" in name or any("\ud800" <= letter <= "\udfff" for letter in name):
        raise BadInput("a name holds a character that no store keeps (NUL, or half a pair)")
    return name
