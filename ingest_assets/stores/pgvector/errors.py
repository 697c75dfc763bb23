"""Translate PostgreSQL's errors into this project's, with the setting or command that helps.

A failed connection carries no error code (libpq gives none), so those errors are distinguished by the server's message.
No message holds the password: servers are named by `place_of`, and an address that cannot be read is not repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ingest_assets.errors import BadInput, ConfigError, IngestError, OutsideError

if TYPE_CHECKING:
    from psycopg import Error

SETTING = "INGEST_PGVECTOR"
"""The setting that holds the server's address."""

_REFUSED_CONNECTIONS = {
    "password authentication failed": f"check user and password in {SETTING}",
    "no password supplied": f"put the password into {SETTING}",
    "no pg_hba.conf entry": "let this host in, in the server's pg_hba.conf",
    "permission denied for database": "GRANT CONNECT ON DATABASE to this user",
    "is not permitted to log in": "ALTER ROLE … LOGIN for this user",
    "does not exist": f"create it, or correct its name in {SETTING}",
    "invalid sslmode": f"correct sslmode in {SETTING}",
    "server does not support SSL": f"take sslmode=require out of {SETTING}, or switch SSL on in the server",
    "certificate verify failed": f"check sslrootcert in {SETTING}",
}
"""Words of a refused connection, and what helps. With other words the server cannot be reached."""

_FOR_THE_OPERATOR = {
    "InsufficientPrivilege": "grant this user the right, or let the tables' owner run `ingest prepare`",
    "UndefinedTable": "run `ingest prepare`",
    "UndefinedColumn": "run `ingest prepare`",
    "InvalidSchemaName": "run `ingest prepare`",
    "UndefinedObject": "the extension is missing or old: run `ingest prepare`",
    "UndefinedFunction": "the extension is missing or old: run `ingest prepare`",
    "UntranslatableCharacter": "the database must be of encoding UTF8: CREATE DATABASE … ENCODING 'UTF8'",
}

_FOR_THE_SERVER = {
    "QueryCanceled": "it took longer than a statement may, or another writer held the file; try again",
    "LockNotAvailable": "another writer holds what it needs; try again",
    "DiskFull": "make room on the server's disk; nothing of this file was changed",
    "OutOfMemory": "the server has no memory left; try again later",
    "TooManyConnections": "raise max_connections of the server, or run less at once",
    "ReadOnlySqlTransaction": f"this server is a standby; name the primary in {SETTING}",
}


def place_of(url: str) -> tuple[str, dict[str, Any]]:
    """Return a server's address without its password, and the parts of the address.

    Raises:
        ConfigError: it is not an address of a PostgreSQL server.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts: dict[str, Any] = dict(conninfo_to_dict(url))
    except ProgrammingError:
        # libpq repeats the part that it could not read, which may be the password
        raise ConfigError(
            f"{SETTING} is no address of a PostgreSQL server; write postgresql://USER:PASSWORD@HOST:5432/DATABASE, "
            "with % codes for what is special in a URL"
        ) from None
    user, host, port = parts.get("user", ""), parts.get("host", "localhost"), parts.get("port", 5432)
    return f"postgresql://{user}@{host}:{port}/{parts.get('dbname', '')}", parts


@contextmanager
def translated(location: str) -> Iterator[None]:
    """Translate PostgreSQL's errors into this project's.

    Raises:
        BadInput: a name is too long for an index.
        ConfigError: address, rights, extension or tables are wrong.
        OutsideError: the server is away, too slow, full, or gave up the transaction.
        ValueError: a value cannot be sent, such as a text with NUL in it.
    """
    from psycopg import Error

    try:
        yield
    except Error as error:
        ours = _without_code(location, error) if error.sqlstate is None else _with_code(location, error)
        if ours is None:
            raise
        raise ours from error


def _with_code(location: str, error: Error) -> IngestError | None:
    from psycopg import ProgrammingError

    message, name = _message_of(error), type(error).__name__
    if name == "ProgramLimitExceeded" and "index" in message:
        return BadInput(f"{location}: {message}; the file's name is too long for an index, shorten it")
    if name == "DataException" and "dimensions" in message:
        return another_length(location, message)
    if name == "FeatureNotSupported" and "extension" in message:
        return ConfigError(f"{location}: {message}; install pgvector 0.8 or later on the server")
    if name in _FOR_THE_OPERATOR:
        return ConfigError(f"{location}: {message}; {_FOR_THE_OPERATOR[name]}")
    if name in _FOR_THE_SERVER or not isinstance(error, ProgrammingError):
        return OutsideError(f"{location}: {message}; {_FOR_THE_SERVER.get(name, 'try again later')}")
    return None  # a wrong statement of this project: no setting can help


def _without_code(location: str, error: Error) -> Exception | None:
    from psycopg import DataError, InterfaceError, OperationalError

    message = _message_of(error)
    if isinstance(error, DataError):
        return ValueError(f"{location}: {message}")
    if not isinstance(error, OperationalError | InterfaceError):
        return None
    advice = next((advice for words, advice in _REFUSED_CONNECTIONS.items() if words in message), "")
    if advice:
        return ConfigError(f"{location}: {message}; {advice}")
    return OutsideError(f"{location} cannot be reached or hung up: {message}; is it there?")


def _message_of(error: Error) -> str:
    return " ".join(str(error).split())


def another_length(location: str, message: str) -> ConfigError:
    """Return the error for vectors that do not fit the column."""
    return ConfigError(
        f"{location} holds vectors of another length: {message}. One space holds one model's vectors; "
        "prepare a new space for the new model, or go back to the old one"
    )
