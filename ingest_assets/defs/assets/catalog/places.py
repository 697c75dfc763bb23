"""Complete what Dagster's catalog shows of the assets by what the settings say: kinds, owners, places.

The kinds are names for which Dagster's UI has an icon, where there is one. No place shows a password.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import dagster as dg

from ingest_assets.config.problems import redacted
from ingest_assets.config.settings import Settings

_BUCKETS = {"s3": "s3", "gs": "googlecloud"}
_STORES = {"chroma": "chroma", "pgvector": "postgres", "atlas": "mongodb"}
_CAPTIONS = {"openai": "openai", "blip": "huggingface"}
_EMBEDDERS = {"openvino": "openvino", "torch": "pytorch"}
_STAGES = ("raw_files", "parsed_documents", "image_captions", "chunks", "embeddings")


def described(assets: Sequence[dg.AssetsDefinition], settings: Settings) -> list[dg.AssetsDefinition]:
    """Return the assets with kinds, owners, a tag with their place in the pipeline, and where their data lie."""
    kinds, places = _kinds(settings), _places(settings)

    def complete(spec: dg.AssetSpec) -> dg.AssetSpec:
        name = spec.key.path[-1]
        return spec.merge_attributes(
            kinds=kinds[name],
            owners=list(settings.owners),
            tags={"ingest/stage": str(_STAGES.index(name) + 1)},
            metadata={"dagster/uri": places[name]},
        )

    return list(dg.map_asset_specs(complete, assets))


def _kinds(settings: Settings) -> Mapping[str, set[str]]:
    return {
        "raw_files": {_BUCKETS.get(urlsplit(settings.bucket).scheme, "file")},
        "parsed_documents": {"json"},
        "image_captions": {"json", _CAPTIONS.get(settings.captions, "ocr")},
        "chunks": {"json"},
        "embeddings": {_STORES[settings.store], _EMBEDDERS[settings.embedder]},
    }


def _places(settings: Settings) -> Mapping[str, str]:
    store = {"chroma": settings.chroma, "pgvector": settings.pgvector, "atlas": settings.mongo_uri}[settings.store]
    kept = {name: f"{settings.artifacts}/{name}" for name in _STAGES[1:4]}
    return {"raw_files": redacted(settings.bucket), **kept, "embeddings": redacted(store)}
