"""Give a test an empty store in a MongoDB with transactions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ingest_assets.stores.atlas.store import AtlasStore


@pytest.fixture
def store(opened: Callable[..., AtlasStore]) -> AtlasStore:
    store = opened()
    store.prepare()
    return store
