from __future__ import annotations

from pathlib import Path

import pytest

from ingest_assets.cli.settings_table import table
from ingest_assets.config.settings import Settings, load_settings
from ingest_assets.errors import ConfigError


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))


def test_every_problem_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_FILE_MB", "plenty")
    monkeypatch.setenv("INGEST_STORE", "shelf")
    monkeypatch.setenv("INGEST_STROE", "chroma")
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert all(name in str(caught.value) for name in ("MAX_FILE_MB", "INGEST_STORE", "INGEST_STROE"))


def test_chunk_sizes_that_contradict_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGEST_CHUNK_MAX_WORDS", "100")
    with pytest.raises(ConfigError, match="INGEST_CHUNK_MIN_WORDS"):
        load_settings()


def test_a_language_without_a_model_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INGEST_OCR_LANGUAGES", "ch,arabic")
    monkeypatch.setenv("INGEST_OCR_MODEL_DIR", str(tmp_path))
    with pytest.raises(ConfigError, match="no model arabic_PP-OCR"):
        load_settings()
    (tmp_path / "arabic_PP-OCRv5_rec_mobile.onnx").touch()
    assert load_settings().ocr_languages == "ch,arabic"


def test_folders_lie_in_the_home_unless_they_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("INGEST_BUCKET", "/data/bucket")
    settings = load_settings()
    assert settings.bucket == "/data/bucket"
    assert str(settings.artifacts) == f"{tmp_path}/artifacts"


def test_the_table_says_where_each_value_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_FILE_MB", "7")
    rows = {row.name: row for row in table(load_settings())}
    assert (rows["MAX_FILE_MB"].value, rows["MAX_FILE_MB"].came_from) == ("7", "environment")
    assert rows["INGEST_STORE"].came_from == "default"
    assert len(rows) == len(Settings.model_fields)
    assert all(row.meaning for row in rows.values())
