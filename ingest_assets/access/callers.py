"""Say what the caller of the service may do: its role, and the users and projects that it may name.

A key's scope always wins over what a request names. Where the key belongs to one user, or to one project of one user,
it also fills in what the request leaves out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Self
from unicodedata import normalize

from ingest_assets.errors import BadInput, IngestError
from ingest_assets.ledger_records import Scope

EVERYTHING = "*"
"""Written for a user it means all users; for a project, all projects of the user."""


class KeyRole(IntEnum):
    """What a caller may do; each role includes those before it."""

    READ = 1
    """Search, list and read."""
    WRITE = 2
    """Also upload, hand in chunks, remove and run again."""
    ADMIN = 3
    """Also see figures, the API's description and Dagster's UI."""

    def __str__(self) -> str:
        return self.name.lower()

    @classmethod
    def named(cls, name: str) -> Self:
        """Return the role of a name.

        Raises:
            BadInput: there is no such role.
        """
        try:
            return cls[name.upper()]
        except KeyError:
            raise BadInput(f"{name!r} is no role; write read, write or admin") from None


class Forbidden(IngestError):
    """The caller may not do that, or not there."""


@dataclass(frozen=True, slots=True)
class KeyScope:
    """The users and projects that a key is for."""

    user_id: str
    """A user, or `*` for all."""
    project_id: str = EVERYTHING
    """A project of the user, or `*` for all."""

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `USER`, `USER/PROJECT` or `*`.

        Raises:
            BadInput: it is none of these.
        """
        user_id, slash, project_id = normalize("NFC", text).partition("/")
        if not user_id or (slash and not project_id) or "/" in project_id:
            raise BadInput(f"{text!r} is no scope; write USER, USER/PROJECT or *")
        if user_id == EVERYTHING and project_id not in {"", EVERYTHING}:
            raise BadInput(f"{text!r}: a project belongs to one user; write USER/PROJECT")
        return cls(user_id, project_id or EVERYTHING)

    def __str__(self) -> str:
        return self.user_id if self.project_id == EVERYTHING else f"{self.user_id}/{self.project_id}"

    def includes(self, user_id: str, project_id: str) -> bool:
        """Tell whether a project of a user lies in it; an empty project stands for all projects of the user."""
        if self.user_id not in {EVERYTHING, user_id}:
            return False
        return self.project_id == EVERYTHING or (project_id != "" and self.project_id == project_id)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls the service."""

    role: KeyRole
    scopes: tuple[KeyScope, ...]
    key_id: str = ""
    """Empty for a caller that needs no key."""

    def may(self, user_id: str, project_id: str = "") -> bool:
        """Tell whether the caller may see a project of a user; without a project, all projects of the user."""
        return any(scope.includes(user_id, project_id) for scope in self.scopes)

    @property
    def only_user(self) -> str:
        """The user that all scopes of the caller are of; empty if there are several or all."""
        users = {scope.user_id for scope in self.scopes}
        return next(iter(users)) if len(users) == 1 and EVERYTHING not in users else ""

    def scope(self, user_id: str = "", project_id: str = "") -> Scope:
        """Return the project that a request is about.

        Raises:
            BadInput: the request names no user or no project, and the key does not belong to one alone.
            Forbidden: the caller may not see it.
        """
        user_id = self.user(user_id)
        if not project_id:
            projects = {scope.project_id for scope in self.scopes if scope.user_id in {user_id, EVERYTHING}}
            if len(projects) != 1 or EVERYTHING in projects:
                raise BadInput("project_id is missing; name the project")
            project_id = next(iter(projects))
        scope = Scope(user_id, project_id)
        if not self.may(scope.user_id, scope.project_id):
            raise Forbidden("the key is not for this user and project; use a key that is")
        return scope

    def user(self, user_id: str = "") -> str:
        """Return the user that a request is about.

        Raises:
            BadInput: the request names none, and the key does not belong to one user.
            Forbidden: the caller may see nothing of this user.
        """
        user_id = normalize("NFC", user_id) or self.only_user
        if not user_id:
            raise BadInput("user_id is missing; name the user")
        if not any(scope.user_id in {user_id, EVERYTHING} for scope in self.scopes):
            raise Forbidden("the key is not for this user; use a key that is")
        return user_id

    def projects_of(self, user_id: str) -> tuple[str, ...] | None:
        """Return the projects of a user that the caller may see; None means all of them."""
        projects = {scope.project_id for scope in self.scopes if scope.user_id in {user_id, EVERYTHING}}
        return None if EVERYTHING in projects else tuple(sorted(projects))


ALL = (KeyScope(EVERYTHING),)
"""Every user and project."""
