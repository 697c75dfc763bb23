"""Translate pymongo's errors into this project's, with the setting or command that helps.

A connection string holds a password, and some of pymongo's messages quote it. So a server is named by its hosts alone
(`where_of`), and pymongo's message about a string that it could not read is not passed on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ingest_assets.errors import ConfigError, IngestError, OutsideError

if TYPE_CHECKING:
    from pymongo.errors import BulkWriteError, OperationFailure

# Error codes of the server (its `error_codes.yml`, and Atlas's own)
_UNAUTHORIZED = 13
_AUTHENTICATION_FAILED = 18
_OUT_OF_TIME = 50
_ATLAS = 8000
"""Atlas's proxy uses this code for a wrong password and for a missing right."""
_DUPLICATE = 11000
_DISK_FULL = 14031
NO_SEARCH = frozenset({59, 31082, 40324, 6047401})
"""No such command, search not enabled, no such stage, stage for Atlas only: the answers of servers without search."""


def where_of(uri: str, database: str) -> str:
    """Name the hosts and the database of a connection string, without user, password and options."""
    scheme, found, rest = uri.partition("://") if "://" in uri else ("", "", uri)
    hosts = re.split(r"[/?]", rest.rpartition("@")[2], maxsplit=1)[0]
    return f"{scheme}{found}{hosts}/{database}"


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Translate pymongo's errors into this project's.

    Raises:
        ConfigError: wrong connection string, user, password or rights; or no Vector Search on this server.
        OutsideError: the server cannot be reached, was too slow, has no room, or failed inside.
    """
    from pymongo import errors

    try:
        yield
    except errors.ConfigurationError as error:
        raise unreadable(where, error) from None  # the chain would show the string with its password
    except errors.BulkWriteError as error:
        raise _half_written(where, error) from error
    except errors.OperationFailure as error:
        raise _refused(where, error) from error
    except errors.DocumentTooLarge as error:
        raise OutsideError(f"MongoDB at {where} takes no document of this size: {error}; smaller chunks do") from error
    except errors.PyMongoError as error:
        message = str(error).partition(", Timeout:")[0].partition(" (configured timeouts:")[0]
        raise OutsideError(
            f"MongoDB at {where} cannot be reached: {message}; is it up, and does it let this host in (MONGO_URI; on "
            "Atlas the IP access list)? Try again later"
        ) from error


def message_of(error: OperationFailure) -> str:
    """Return the server's message without the reply around it."""
    details = error.details or {}
    return str(details.get("errmsg") or str(error).partition(", full error")[0])


def unreadable(where: str, error: Exception) -> ConfigError:
    """Return the error for a connection string that cannot be used."""
    known = re.search(r"DNS|SRV|dnspython|Unknown option|tls|ssl", str(error))
    about = f" ({known.group()})" if known else ""
    return ConfigError(
        f"MONGO_URI is no connection string that pymongo can use{about}, with the hosts {where}; it reads "
        "mongodb://user:password@host:27017/ or mongodb+srv://user:password@cluster/, with %-escapes in both of them"
    )


def _half_written(where: str, error: BulkWriteError) -> IngestError:
    """Return the error for an unordered write of which some rows were refused; it names the first reason."""
    details = error.details or {}
    failed = details.get("writeErrors") or details.get("writeConcernErrors") or [{}]
    first, done = failed[0], details.get("nInserted", 0) + details.get("nModified", 0)
    counts = f"{done} rows were written and {len(details.get('writeErrors', ()))} refused"
    if first.get("code") == _DUPLICATE:
        return OutsideError(
            f"MongoDB at {where}: {counts}, the first because it is there already: is another host publishing this "
            "file? Run it again"
        )
    if first.get("code") == _DISK_FULL:
        return OutsideError(f"MongoDB at {where}: {counts}: {_FULL}")
    return OutsideError(f"MongoDB at {where}: {counts}, the first because: {first.get('errmsg')}; run it again")


_FULL = "its disk is full; free space or choose a larger cluster, then run it again"


def _refused(where: str, error: OperationFailure) -> IngestError:
    message = message_of(error)
    if error.code in (_AUTHENTICATION_FAILED, _ATLAS):
        return ConfigError(f"MongoDB at {where} knows no such user or password ({message}); correct them in MONGO_URI")
    if error.code == _UNAUTHORIZED:
        return ConfigError(
            f"MongoDB at {where} does not let this user do that ({message}); give it readWrite and dbAdmin on the "
            "database, or another user in MONGO_URI"
        )
    if error.code in NO_SEARCH:
        return ConfigError(
            f"MongoDB at {where} has no Vector Search ({message}); it is part of Atlas. Set ATLAS_VECTOR=0 to search "
            "without an index"
        )
    if error.code == _DISK_FULL:
        return OutsideError(f"MongoDB at {where}: {_FULL}")
    if error.code == _OUT_OF_TIME:
        return OutsideError(f"MongoDB at {where} was too slow ({message}); try again later")
    return OutsideError(f"MongoDB at {where} failed: {message} (code {error.code}); try again, and look at its log")
