"""Open Chroma's two collections at a path or URL, and translate Chroma's errors.

The collections are opened below `PersistentClient`, on chromadb's own server interface. `PersistentClient` shares one
open store per path and process, but an embedded store must be opened again whenever another process has written
(`embedded/`).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ingest_assets.errors import ConfigError, OutsideError
from ingest_assets.stores.chroma.collections import (
    CHUNKS_INDEX,
    ChromaPlace,
    collection,
    existing,
    refuse_foreign,
)

if TYPE_CHECKING:
    from chromadb.config import Settings, System

_FULL_MB = 16
"""Chroma writes a batch into a log and again into its tables. With less free space, a full disk is the reason."""
REQUEST_TIMEOUT_S = 120.0
"""A server that has not answered by then is away. Its slowest answer, 500 rows into a large index, takes seconds."""


class RowsMoved(Exception):
    """Rows were deleted while they were read: read again."""


@dataclass(frozen=True, slots=True)
class ChromaCollections:
    """An open store."""

    chunks: Any
    """A chromadb `Collection`. Untyped: its own annotations refuse the arrays and filters that it takes."""
    files: Any
    place: ChromaPlace
    server: Any
    system: System
    session: Any
    """The HTTP client of a served store: chromadb sets no time limit on it and never closes it."""

    def close(self) -> None:
        """Close the files or the connection."""
        _close(self.system, self.session)


def open_embedded(path: str, place: ChromaPlace) -> ChromaCollections:
    """Open the store in a folder, or make it; all earlier writes are in its index afterwards."""
    handle = _open(folder_settings(path), place, location=path)
    for each in (handle.chunks, handle.files):
        each.count()  # Chroma replays its log at the first use: now, under the lock that the caller holds
    return handle


def open_server(url: str, place: ChromaPlace) -> ChromaCollections:
    """Open the store of a server."""
    return _open(server_settings(url, place), place, location=url)


def folder_settings(path: str) -> Settings:
    """Return chromadb's settings for a folder."""
    from chromadb.config import Settings

    return Settings(**_common(), is_persistent=True, persist_directory=path)


def server_settings(url: str, place: ChromaPlace) -> Settings:
    """Return chromadb's settings for a server."""
    from chromadb.config import Settings

    parts = urlsplit(url)
    secure = parts.scheme == "https"
    return Settings(
        **_common(),
        chroma_api_impl="chromadb.api.fastapi.FastAPI",
        chroma_server_host=url if parts.path.strip("/") else parts.hostname,
        chroma_server_http_port=parts.port or (443 if secure else 80),
        chroma_server_ssl_enabled=secure,
        chroma_server_headers=dict(place.headers),
    )


def _common() -> dict[str, Any]:
    # Chroma would also read a `.env` in the working directory; our settings come from one place only.
    return {"_env_file": None, "anonymized_telemetry": False}


def _open(settings: Settings, place: ChromaPlace, *, location: str) -> ChromaCollections:
    from chromadb.api import ServerAPI
    from chromadb.config import System

    system = System(settings)
    server: Any = system.instance(ServerAPI)
    system.start()
    session = getattr(server, "_session", None)
    if session is not None:
        session.timeout = REQUEST_TIMEOUT_S
    with ExitStack() as undo:
        undo.callback(_close, system, session)
        there = [existing(server, place, name=place.named(name)) for name in ("chunks", "files")]
        refuse_foreign(*there, location=location)
        chunks = collection(server, place, name=place.named("chunks"), configuration=CHUNKS_INDEX)
        files = collection(server, place, name=place.named("files"))
        undo.pop_all()
    return ChromaCollections(chunks=chunks, files=files, place=place, server=server, system=system, session=session)


def _close(system: System, session: Any) -> None:
    system.stop()
    if session is not None:
        session.close()


def _failed(location: str, error: Exception) -> OutsideError:
    """Say that Chroma failed; name a full disk as the reason, which Chroma does not."""
    if "://" in location:
        return OutsideError(f"Chroma at {location} failed: {error}; look at the server's log")
    with suppress(OSError):
        free_mb = shutil.disk_usage(location).free >> 20
        if free_mb < _FULL_MB:
            what = f"the disk of Chroma's folder {location} is full ({free_mb} MB free)"
            return OutsideError(f"{what}: make room there, or move INGEST_CHROMA, then run it again")
    return OutsideError(f"Chroma at {location} failed: {error}; run it again")


@contextmanager
def translated(location: str) -> Iterator[None]:
    """Translate Chroma's errors into this project's.

    Raises:
        ConfigError: wrong dimension, tenant, database or key.
        OutsideError: the store cannot be reached or failed inside.
        RowsMoved: rows were deleted after Chroma had read its index and before it read its rows.
    """
    import httpx
    from chromadb import errors

    try:
        yield
    except errors.InternalError as error:
        if "Error finding id" in str(error):
            raise RowsMoved(str(error)) from error
        raise _failed(location, error) from error
    except (errors.NotFoundError, errors.ChromaAuthError, errors.AuthorizationError) as error:
        raise ConfigError(f"Chroma at {location}: {error}; check the tenant, the database and the key") from error
    except (errors.InvalidDimensionException, errors.InvalidArgumentError) as error:
        raise _refused(location, error) from error
    except errors.ChromaError as error:
        raise _failed(location, error) from error
    except (httpx.HTTPError, OSError) as error:
        raise OutsideError(
            f"Chroma at {location} cannot be reached: {error}; is it there and ours to write?"
        ) from error
    except Exception as error:
        # chromadb raises the bare class where an answer is no JSON, as from a proxy in front of the server
        if type(error) is not Exception:
            raise
        raise OutsideError(f"Chroma at {location} gave an answer that is not Chroma's: {error}") from error


def _refused(location: str, error: Exception) -> ConfigError:
    if "dimension" not in str(error):
        return ConfigError(f"Chroma at {location} refused: {error}")
    return ConfigError(
        f"Chroma at {location} holds vectors of another length: {error}. One store holds one model's vectors; "
        "choose an empty store for the new model, or go back to the old one"
    )
