"""Open the parts that the settings name: artifacts, history, store, embedding model.

Opening is cheap: models and stores load or connect when they are first used.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from ingest_assets.artifacts.folder import Artifacts
from ingest_assets.artifacts.history import History
from ingest_assets.artifacts.shelves import ObjectShelf
from ingest_assets.buckets.contract import Bucket
from ingest_assets.buckets.opening import open_objects
from ingest_assets.config.settings import Settings
from ingest_assets.errors import ConfigError, OutsideError
from ingest_assets.stores.ownership import StoreOwner

if TYPE_CHECKING:
    from ingest_assets.index.database import Database
    from ingest_assets.stages.embed import Embedder
    from ingest_assets.stores.contract import VectorStore


def open_artifacts(settings: Settings) -> Artifacts:
    """Open the stages' results, in a folder or on an object store."""
    objects = open_objects(settings.artifacts, endpoint=settings.s3_endpoint)
    return Artifacts(settings.artifacts_folder, shelf=None if objects is None else ObjectShelf(objects))


def open_history(settings: Settings) -> History:
    """Open the record of how much memory earlier files needed on this host."""
    return History(settings.artifacts_folder / ".history")


def open_database(settings: Settings) -> Database:
    """Open the database that stands beside the instance: where PostgreSQL keeps its runs, else a file in the home."""
    from ingest_assets.index.database import Database

    return Database(settings.instance_db.get_secret_value() or f"sqlite:///{settings.home.absolute() / 'index.db'}")


def ledger_name(settings: Settings, space: str) -> str:
    """Name the ledger of a space of the store, without its password."""
    place = {"chroma": settings.chroma, "pgvector": settings.pgvector, "atlas": settings.mongo_uri}[settings.store]
    return f"{settings.store} {hashlib.sha256(place.encode()).hexdigest()[:12]} {space}"


def open_store(settings: Settings, *, space: str = "") -> VectorStore:
    """Open one model's space in the team's vector store."""
    return open_store_at(settings, settings.store, space=space)


def open_store_at(settings: Settings, kind: str, location: str = "", *, space: str = "") -> VectorStore:
    """Open a store of a kind (chroma, pgvector, atlas) at a folder or URL; by default where the settings say.

    Raises:
        ConfigError: there is no such kind, or the settings do not say where it is.
    """
    if kind == "pgvector" and (url := location or settings.pgvector):
        from ingest_assets.stores.pgvector.store import PgVectorStore

        dimension = open_embedder(settings).dimension
        schema, halfvec = settings.pgvector_schema, settings.pgvector_halfvec
        return PgVectorStore(url, dimension=dimension, halfvec=halfvec, schema=schema, space=space)
    if kind == "atlas" and (uri := location or settings.mongo_uri):
        from ingest_assets.stores.atlas.store import AtlasStore

        dimension, search = open_embedder(settings).dimension, settings.atlas_vector
        return AtlasStore(uri, database=settings.mongo_db, dimension=dimension, vector_search=search, space=space)
    if kind == "chroma":
        from ingest_assets.stores.chroma.store import ChromaStore

        place, headers = without_password(location or settings.chroma)
        tenant, database = settings.chroma_tenant, settings.chroma_database
        return ChromaStore(place, tenant=tenant, database=database, headers=headers, space=space)
    raise ConfigError(
        f"no store {kind}:{location and '…'}; write chroma:FOLDER, chroma:http://HOST:PORT, "
        "pgvector:postgresql://… or atlas:mongodb://…, or set INGEST_PGVECTOR or MONGO_URI"
    )


def store_owner(settings: Settings, bucket: Bucket) -> StoreOwner:
    """Say whose files the store of these settings holds: the bucket's, by its mark or, without one, by its place."""
    parts = urlsplit(settings.bucket)
    place = settings.bucket
    if parts.scheme in {"", "file"}:
        place = str(Path(unquote(parts.path) if parts.scheme else place).resolve())
    place = place.rstrip("/") or place
    try:
        mark = bucket.identity()
    except OutsideError:  # the bucket is not mounted: its store can still be searched
        mark = ""
    return StoreOwner(id=mark or place, bucket=place)


def model_space(settings: Settings) -> str:
    """Name the space of the store that a change to this model builds."""
    return "m" + hashlib.sha256(open_embedder(settings).model.encode()).hexdigest()[:12]


def model_space_before(settings: Settings) -> str:
    """Name the space of the model in the settings before a change: its own space, or the first if it has none."""
    own = model_space(settings)
    store = open_store(settings, space=own)
    try:
        return own if store.files(limit=1) else ""
    except ConfigError:  # nothing was ever prepared there
        return ""
    finally:
        store.close()


def next_settings(settings: Settings) -> Settings | None:
    """Return the settings with the next model instead of the current one; None if there is no next one."""
    if settings.next_model_dir is None:
        return None
    return settings.model_copy(update={"model_dir": settings.next_model_dir, "next_model_dir": None})


def settings_of_space(settings: Settings, space: str) -> Settings:
    """Choose the model of the space in use: the current one, or the next one after `ingest change-model`.

    Raises:
        ConfigError: neither of them built it.
    """
    following = next_settings(settings)
    if following is not None and space == model_space(following):
        return following
    if space and space != model_space(settings):
        raise ConfigError(
            "the store in use was built with another model than INGEST_MODEL_DIR names; name that one, "
            "or name the new one in INGEST_NEXT_MODEL_DIR and run `ingest change-model`"
        )
    return settings


def without_password(url: str) -> tuple[str, dict[str, str]]:
    """Move a URL's user and password to a header, so that no message about the URL can show them."""
    parts = urlsplit(url)
    if "@" not in parts.netloc or not parts.scheme.startswith("http"):
        return url, {}
    credentials, host = parts.netloc.rsplit("@", 1)
    token = base64.b64encode(unquote(credentials).encode()).decode()
    return urlunsplit(parts._replace(netloc=host)), {"Authorization": f"Basic {token}"}


def open_embedder(settings: Settings, *, window: int = 16) -> Embedder:
    """Open the embedding model that the settings name; with a smaller window it takes fewer texts at once."""
    if settings.embedder == "torch":
        from ingest_assets.clients.embedding import torch_embedder as torch

        return torch.TorchEmbedder(settings.model_dir, batch=max(1, min(torch.BATCH, window)))
    from ingest_assets.clients.embedding import openvino_embedder as openvino

    batch = max(1, min(openvino.BATCH, window // 4))
    return openvino.OpenVINOEmbedder(settings.model_dir, cache_dir=settings.model_cache, batch=batch)
