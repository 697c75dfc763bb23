"""Test what a program is told that lacks an extra."""

from __future__ import annotations

import importlib
import sys

import pytest

from ingest_assets.errors import ConfigError


@pytest.mark.parametrize(
    ("module", "library", "extra"),
    [
        ("mcp_server", "mcp.server.mcpserver", "mcp"),
        ("langchain", "langchain_core.retrievers", "langchain"),
        ("llama_index", "llama_index.core.retrievers", "llama-index"),
    ],
)
def test_an_extra_that_is_missing_is_named(
    module: str, library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"ingest_assets.integrations.{module}"
    monkeypatch.setitem(sys.modules, library, None)  # Python's way to say that it is not installed
    monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ConfigError, match=rf"install ingest-assets\[{extra}\]"):
        importlib.import_module(name)
