"""Settings in, the parts they choose out: artifacts, store, models, and what their results depend on.

Everything here is cheap to make: models and stores open themselves when they are first used.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec

from ingest_assets.artifacts.folder import Artifacts
from ingest_assets.artifacts.history import History
from ingest_assets.buckets import open_bucket
from ingest_assets.clients.pictures.picture_models import open_picture_models
from ingest_assets.config.settings import Settings
from ingest_assets.errors import BadInput, ConfigError, OutsideError
from ingest_assets.ledger_records import FileRecord
from ingest_assets.parsers.contract import Limits, Parser
from ingest_assets.parsers.detection import media_type
from ingest_assets.parsers.families import parser_for, version_of
from ingest_assets.stages import caption as caption_stage
from ingest_assets.stages import chunk as chunk_stage
from ingest_assets.stages import parse as parse_stage
from ingest_assets.stages import receive as receive_stage
from ingest_assets.stages.chunk import ChunkSizes
from ingest_assets.stores.ownership import StoreOwner

if TYPE_CHECKING:
    from ingest_assets.stages.embed import Embedder
    from ingest_assets.stores.contract import VectorStore


def open_artifacts(settings: Settings) -> Artifacts:
    """Open the folder of the stages' results."""
    return Artifacts(settings.artifacts)


def open_history(settings: Settings) -> History:
    """Open the memory of what files needed."""
    return History(settings.artifacts / ".history")


def open_store(settings: Settings, *, space: str = "") -> VectorStore:
    """Open the team's vector store, the space of one model in it."""
    return open_store_at(settings, settings.store, space=space)


def open_store_at(settings: Settings, kind: str, location: str = "", *, space: str = "") -> VectorStore:
    """Open a store of a kind (chroma, pgvector, atlas) at a folder or URL; by default where the settings say.

    Raises:
        ConfigError: there is no such kind, or the settings say of none where it is.
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

        place, headers = _without_password(location or settings.chroma)
        tenant, database = settings.chroma_tenant, settings.chroma_database
        return ChromaStore(place, tenant=tenant, database=database, headers=headers, space=space)
    raise ConfigError(
        f"no store {kind}:{location and '…'}; write chroma:FOLDER, chroma:http://HOST:PORT, "
        "pgvector:postgresql://… or atlas:mongodb://…, or set INGEST_PGVECTOR or MONGO_URI"
    )


def owner_of(settings: Settings) -> StoreOwner:
    """Say whose files the store of these settings holds: the bucket's, by its mark or, without one, by its place."""
    parts = urlsplit(settings.bucket)
    place = settings.bucket
    if parts.scheme in {"", "file"}:
        place = str(Path(unquote(parts.path) if parts.scheme else place).resolve())
    try:
        mark = open_bucket(settings.bucket).identity()
    except OutsideError:  # it is not mounted: its store can be searched all the same
        mark = ""
    return StoreOwner(id=mark or place, bucket=place)


def space_of(settings: Settings) -> str:
    """Name the space of the store that a change to this model builds."""
    return "m" + hashlib.sha256(open_embedder(settings).model.encode()).hexdigest()[:12]


def space_before(settings: Settings) -> str:
    """Name the space that today's model was in before a change: its own, or the first where it has none."""
    own = space_of(settings)
    store = open_store(settings, space=own)
    try:
        return own if store.files(limit=1) else ""
    except ConfigError:  # nothing was ever prepared there
        return ""
    finally:
        store.close()


def next_settings(settings: Settings) -> Settings | None:
    """Return the settings with the next model in place of today's; None where there is no next one."""
    if settings.next_model_dir is None:
        return None
    return settings.model_copy(update={"model_dir": settings.next_model_dir, "next_model_dir": None})


def settings_of_space(settings: Settings, space: str) -> Settings:
    """Choose the model of the space in use: today's, or the next one where `ingest change-model` has switched.

    Raises:
        ConfigError: neither of them built it.
    """
    following = next_settings(settings)
    if following is not None and space == space_of(following):
        return following
    if space and space != space_of(settings):
        raise ConfigError(
            "the store in use was built with another model than INGEST_MODEL_DIR names; name that one, "
            "or name the new one in INGEST_NEXT_MODEL_DIR and run `ingest change-model`"
        )
    return settings


def _without_password(url: str) -> tuple[str, dict[str, str]]:
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


def limits_of(settings: Settings) -> Limits:
    """Return the bounds on what a file may claim."""
    return Limits(max_pages=settings.max_pages, max_picture_pixels=settings.max_picture_pixels)


def chunk_sizes_of(settings: Settings) -> ChunkSizes:
    """Return the sizes of chunks, in words."""
    return ChunkSizes(max_words=settings.max_words, min_words=settings.min_words, overlap_words=settings.overlap_words)


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """What each stage's result depends on besides its input: code version, settings, model."""

    receive: str
    parse: str
    caption: str
    chunk: str
    embed: str

    @property
    def whole(self) -> str:
        """Fingerprint of the whole way, as the ledger keeps it."""
        return fingerprint(self)


def fingerprints_of(settings: Settings, parser: Parser, *, media_type: str) -> Fingerprints:
    """Derive the fingerprints of a file's stages without opening a model."""
    return Fingerprints(
        receive=receive_fingerprint(settings),
        parse=fingerprint(parse_stage.VERSION, version_of(media_type, parser), limits_of(settings)),
        caption=fingerprint(caption_stage.VERSION, open_picture_models(settings).model),
        chunk=fingerprint(chunk_stage.VERSION, chunk_sizes_of(settings)),
        embed=open_embedder(settings).model,
    )


def fingerprint_of(settings: Settings, record: FileRecord) -> str:
    """Return the fingerprint that a file's record would have if it were ingested under these settings."""
    try:
        parser = parser_for(record.media_type, filename=record.filename)
    except BadInput:
        # A later release may read what this one refuses.
        return fingerprint("refused", version("ingest-assets"), receive_fingerprint(settings))
    return fingerprints_of(settings, parser, media_type=record.media_type).whole


def receive_fingerprint(settings: Settings) -> str:
    """Say what a file's reference depends on besides its bytes; also of files that no parser reads."""
    return fingerprint(receive_stage.VERSION, media_type.VERSION, settings.max_file_mb)


def fingerprint(*parts: object) -> str:
    """Hash plain values to 32 hexadecimal digits."""
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]
