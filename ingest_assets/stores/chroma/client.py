"""A path or URL in, Chroma's two collections out, and its errors in the words of this project.

The collections are opened below `PersistentClient`, on chromadb's own server interface: the former shares one handle
per path and process, and an embedded store must be opened anew whenever another process has written
(`chroma_embedded.py`).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ingest_assets.errors import ConfigError, OutsideError
from ingest_assets.stores.chroma.ownership import refuse_foreign
from ingest_assets.stores.ownership import MADE_BY

if TYPE_CHECKING:
    from chromadb.config import Settings, System

# Recall@10 on 6,000 vectors: 0.995 with Chroma's own 100/100, 1.000 with these, for a tenth more time to build and
# half a millisecond more to search.
CHUNKS_INDEX = {"hnsw": {"space": "cosine", "ef_construction": 200, "ef_search": 400}}

_MADE_HERE: Mapping[str, str] = {"made_by": MADE_BY}
_FULL_MB = 16
"""Chroma writes a batch into a log and again into its tables: with less free than this, that is why it failed."""
REQUEST_TIMEOUT_S = 120.0
"""A server that has not answered by then is away. Its slowest answer, 500 rows into a large index, takes seconds."""


class Moved(Exception):
    """Rows went while they were being read; reading again will do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server keeps the collections, and what it wants to see."""

    tenant: str = "default_tenant"
    database: str = "default_database"
    headers: Mapping[str, str] = field(default_factory=dict)
    space: str = ""
    """Which pair of collections; the first has no name."""

    def named(self, name: str) -> str:
        """Return the name of this space's collection."""
        return f"{name}_{self.space}" if self.space else name


@dataclass(frozen=True, slots=True)
class Handle:
    """An open store."""

    chunks: Any
    """A chromadb `Collection`. Untyped: its own annotations refuse the arrays and filters that it takes."""
    files: Any
    place: Place
    server: Any
    system: System
    session: Any
    """The HTTP client of a served store: chromadb sets no time limit on it and never closes it."""

    def close(self) -> None:
        """Let go of the files or the connection."""
        _close(self.system, self.session)


def open_embedded(path: str, place: Place) -> Handle:
    """Open the store in a folder, making it if need be, with all that was written before in its index."""
    from chromadb.config import Settings

    handle = _open(Settings(**_common(), is_persistent=True, persist_directory=path), place, location=path)
    for collection in (handle.chunks, handle.files):
        collection.count()  # Chroma replays its log on first use: do it now, under the lock that the caller holds
    return handle


def open_server(url: str, place: Place) -> Handle:
    """Open the store of a server."""
    from chromadb.config import Settings

    parts = urlsplit(url)
    secure = parts.scheme == "https"
    settings = Settings(
        **_common(),
        chroma_api_impl="chromadb.api.fastapi.FastAPI",
        chroma_server_host=url if parts.path.strip("/") else parts.hostname,
        chroma_server_http_port=parts.port or (443 if secure else 80),
        chroma_server_ssl_enabled=secure,
        chroma_server_headers=dict(place.headers),
    )
    return _open(settings, place, location=url)


def _common() -> dict[str, Any]:
    # Chroma reads settings from a `.env` of the working directory too; ours come from one place only.
    return {"_env_file": None, "anonymized_telemetry": False}


def _open(settings: Settings, place: Place, *, location: str) -> Handle:
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
    return Handle(chunks=chunks, files=files, place=place, server=server, system=system, session=session)


def collection(
    server: Any, place: Place, *, name: str, configuration: Any = None, metadata: Mapping[str, str] = _MADE_HERE
) -> Any:
    """Open a collection; make it, with this metadata, if it is not there."""
    from chromadb.api.models.Collection import Collection

    model = server.get_or_create_collection(
        name, metadata=dict(metadata), configuration=configuration, tenant=place.tenant, database=place.database
    )
    return Collection(client=server, model=model, embedding_function=None)


def existing(server: Any, place: Place, *, name: str) -> Any:
    """Open a collection that is there; None where there is none."""
    from chromadb.api.models.Collection import Collection
    from chromadb.errors import NotFoundError

    try:
        model = server.get_collection(name, tenant=place.tenant, database=place.database)
    except NotFoundError:
        return None
    return Collection(client=server, model=model, embedding_function=None)


def _close(system: System, session: Any) -> None:
    system.stop()
    if session is not None:
        session.close()


def _failed(location: str, error: Exception) -> OutsideError:
    """Say that Chroma failed inside, and why where the disk of an embedded one tells: it does not say so itself."""
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
    """Give Chroma's errors our names.

    Raises:
        ConfigError: wrong dimension, tenant, database or key.
        OutsideError: the store cannot be reached or failed inside.
        Moved: rows went between Chroma's look at its index and its look at its rows.
    """
    import httpx
    from chromadb import errors

    try:
        yield
    except errors.InternalError as error:
        if "Error finding id" in str(error):
            raise Moved(str(error)) from error
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
