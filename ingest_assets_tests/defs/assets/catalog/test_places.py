"""Test what Dagster's catalog shows of the assets, and how a person gets from there to the document."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from ingest_assets.config.settings import Settings
from ingest_assets.defs.assets.catalog.source_links import source_of
from ingest_assets.defs.definitions import build


def specs(tmp_path: Path, **settings: object) -> dict[str, dg.AssetSpec]:
    made = build(Settings.model_validate({"DAGSTER_HOME": tmp_path, **settings}))
    return {spec.key.to_user_string(): spec for spec in made.resolve_all_asset_specs()}


def test_the_graph_is_one_line_of_what_each_asset_reads(tmp_path: Path) -> None:
    read = {name: {dep.asset_key.to_user_string() for dep in spec.deps} for name, spec in specs(tmp_path).items()}
    assert read == {
        "raw_files": set(),
        "parsed_documents": {"raw_files"},
        "image_captions": {"parsed_documents"},
        "chunks": {"parsed_documents", "image_captions"},
        "embeddings": {"chunks"},
    }


def test_every_asset_says_what_it_is_where_it_lies_and_whose_it_is(tmp_path: Path) -> None:
    for spec in specs(tmp_path, INGEST_OWNERS="team:search,ann@example.org").values():
        assert spec.description
        assert spec.kinds
        assert list(spec.owners) == ["team:search", "ann@example.org"]
        assert spec.metadata["dagster/uri"]


def test_kinds_follow_the_settings(tmp_path: Path) -> None:
    url = "postgresql://ann:secret@db/x"
    shown = specs(tmp_path, INGEST_STORE="pgvector", INGEST_PGVECTOR=url, INGEST_EMBEDDER="torch")["embeddings"]
    assert shown.kinds == {"postgres", "pytorch"}
    assert "secret" not in str(shown)


@pytest.mark.parametrize("owners", ["ann", "team:", "ann@example.org;bob@example.org", "ann@example"])
def test_an_owner_that_dagster_would_refuse_is_a_wrong_setting(tmp_path: Path, owners: str) -> None:
    with pytest.raises(ValueError, match="INGEST_OWNERS"):
        specs(tmp_path, INGEST_OWNERS=owners)


@pytest.mark.parametrize(
    ("bucket", "base_url", "endpoint", "expected"),
    [
        ("/srv/bucket", "", "", "/srv/bucket/ann/p/a b.pdf"),
        ("/srv/bucket", "https://files.example.org/x/", "", "https://files.example.org/x/ann/p/a%20b.pdf"),
        ("s3://b/in", "", "", "https://console.aws.amazon.com/s3/object/b?prefix=in/ann/p/a%20b.pdf"),
        ("s3://b", "", "", "https://console.aws.amazon.com/s3/object/b?prefix=ann/p/a%20b.pdf"),
        ("s3://b/in/", "", "http://minio:9000", "s3://b/in/ann/p/a b.pdf"),
        ("gs://b/in", "", "", "https://console.cloud.google.com/storage/browser/_details/b/in/ann/p/a%20b.pdf"),
    ],
)
def test_a_link_leads_to_the_file(bucket: str, base_url: str, endpoint: str, expected: str) -> None:
    assert source_of(bucket, "ann/p/a b.pdf", base_url=base_url, endpoint=endpoint).value == expected
