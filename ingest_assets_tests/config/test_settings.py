from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest_assets.cli.tables.settings_table import setting_rows
from ingest_assets.config.reference import settings_page
from ingest_assets.config.settings import FILE_SECRETS, Settings, load_settings
from ingest_assets.errors import ConfigError


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    before = dict(os.environ)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield
    for name in os.environ.keys() - before.keys():  # what a .env brought
        del os.environ[name]


def test_a_models_name_of_the_replaced_systems_is_a_folder_here_or_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EMBED_MODEL", "sentence-transformers/all-MiniLM-L6-v2")
    assert load_settings().model_dir is None
    monkeypatch.setenv("EMBED_MODEL", str(tmp_path))
    assert load_settings().model_dir == tmp_path
    monkeypatch.setenv("EMBEDDING_MODEL", "BAAI/bge-m3")
    monkeypatch.delenv("EMBED_MODEL")
    with pytest.raises(ConfigError, match=r"EMBEDDING_MODEL: .*INGEST_MODEL_DIR"):
        load_settings()
    monkeypatch.setenv("INGEST_MODEL_DIR", str(tmp_path))
    assert load_settings().model_dir == tmp_path


def test_max_iterations_bounds_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().max_iterations == 0
    monkeypatch.setenv("MAX_ITERATIONS", "5")
    assert load_settings().max_iterations == 5


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


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("INGEST_BUCKET", "ftp://host/files", "give a folder or one of file:// s3:// gs://"),
        ("INGEST_ARTIFACTS", "file:///srv/kept", "give a folder or one of s3:// gs://"),
        ("INGEST_BUCKET", "s3://AKIA123:hush@uploads/files", "write s3://BUCKET/PREFIX"),
        ("INGEST_ARTIFACTS", "gs://", "write gs://BUCKET/PREFIX"),
        ("INGEST_ARTIFACTS", "s3://uploads/files/kept", "prefixes side by side"),
        ("INGEST_ARTIFACTS", "s3://uploads", "prefixes side by side"),
        ("INGEST_S3_ENDPOINT", "https://AKIA123:hush@minio.internal", "INGEST_S3_ENDPOINT"),
        ("INGEST_DEFAULT_SCOPE", "team", "INGEST_DEFAULT_SCOPE"),
    ],
)
def test_a_place_that_cannot_be_is_refused_without_showing_credentials(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv("INGEST_BUCKET", "s3://uploads/files")
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert said in str(caught.value)
    assert "hush" not in str(caught.value)


def test_what_a_host_keeps_of_artifacts_on_an_object_store_lies_in_its_home(tmp_path: Path) -> None:
    settings = load_settings({"INGEST_ARTIFACTS": "s3://kept/artifacts/"})
    assert settings.artifacts == "s3://kept/artifacts"
    assert settings.artifacts_folder == tmp_path / "artifacts"


def test_a_file_of_settings_holds_for_every_door_and_stands_above_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MAX_FILE_MB", "7")
    (tmp_path / ".env").write_text("MAX_FILE_MB=9\nexport INGEST_WINDOW='4'\nINGEST_STORE=chroma\n")
    settings = load_settings()
    assert (settings.max_file_mb, settings.window_parts) == (9, 4)
    assert os.environ["INGEST_WINDOW"] == "4"  # for the processes that this one starts
    rows = {row.name: row for row in setting_rows(settings)}
    assert (rows["MAX_FILE_MB"].value, rows["MAX_FILE_MB"].came_from) == ("9", ".env")
    (tmp_path / ".env").write_text("INGEST_STROE=chroma\n")
    with pytest.raises(ConfigError, match="INGEST_STROE"):
        load_settings()


@pytest.mark.parametrize("name", FILE_SECRETS)
def test_a_secret_may_come_from_a_file_and_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    (tmp_path / "secret").write_text("postgresql://ann:hunter2@host/db\n")
    monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "secret"))
    row = next(row for row in setting_rows(load_settings()) if row.name == name)
    assert row.came_from == str(tmp_path / "secret")
    assert "hunter2" not in row.value
    monkeypatch.setenv(name, "postgresql://bob:hunter2@host/db")
    with pytest.raises(ConfigError, match=f"{name}_FILE: {name} is set as well") as both:
        load_settings()
    assert "hunter2" not in str(both.value)


def test_a_secret_s_file_that_cannot_be_used_is_named_without_its_content(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MONGO_URI_FILE", str(tmp_path / "secret"))
    with pytest.raises(ConfigError, match=r"MONGO_URI_FILE: .* cannot be read"):
        load_settings()
    for content in (b"", b"hunter2\nhunter2\n", b"hunter2 \xff"):
        (tmp_path / "secret").write_bytes(content)
        with pytest.raises(ConfigError, match="MONGO_URI_FILE") as caught:
            load_settings()
        assert "hunter2" not in str(caught.value)


def test_problems_between_settings_are_named_at_once_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("INGEST_STORE", "pgvector"), ("INGEST_CAPTIONS", "openai"), ("INGEST_MODEL_DIR", "/nowhere")):
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert all(name in str(caught.value) for name in ("INGEST_PGVECTOR:", "INGEST_OPENAI_MODEL:", "INGEST_MODEL_DIR:"))
    assert str(caught.value).startswith("3 setting(s)")


def test_the_page_of_settings_is_the_one_in_the_documentation() -> None:
    page = Path(__file__).parents[2] / "docs/settings.md"
    assert page.read_text(encoding="utf-8") == settings_page()


def test_the_table_says_where_each_value_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_FILE_MB", "7")
    rows = {row.name: row for row in setting_rows(load_settings())}
    assert (rows["MAX_FILE_MB"].value, rows["MAX_FILE_MB"].came_from) == ("7", "environment")
    assert rows["INGEST_STORE"].came_from == "default"
    assert len(rows) == len(Settings.model_fields)
    assert all(row.meaning for row in rows.values())
