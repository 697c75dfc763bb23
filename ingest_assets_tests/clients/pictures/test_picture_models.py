from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import constants
from pydantic import ValidationError

from ingest_assets.cli.tables.settings_table import setting_rows
from ingest_assets.clients.pictures.picture_models import needed_cap_mb, open_picture_models
from ingest_assets.config.settings import Settings
from ingest_assets.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files of a model, as far as choosing it goes."""
    folder = tmp_path / "blip"
    folder.mkdir()
    for name in ("model.safetensors", "config.json", "preprocessor_config.json", "tokenizer.json"):
        (folder / name).write_bytes(b"x" * 2_000_000)
    return folder


@pytest.fixture(autouse=True)
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


def settings(captions: str, model: Path | None = None) -> Settings:
    values = {"INGEST_CAPTIONS": captions} | ({"INGEST_BLIP_MODEL": str(model)} if model else {})
    return Settings.model_validate(values)


def test_auto_is_ocr_until_the_weights_are_there(folder: Path) -> None:
    assert open_picture_models(settings("auto")).model == open_picture_models(settings("ocr")).model
    assert open_picture_models(settings("auto", folder)).model == open_picture_models(settings("blip", folder)).model
    assert open_picture_models(settings("auto", folder)).model.startswith("blip/blip-2000000 + rapidocr-")


def test_who_asks_for_blip_without_weights_is_told_at_the_first_picture() -> None:
    with open_picture_models(settings("blip")) as models, pytest.raises(ConfigError, match="INGEST_BLIP_MODEL"):
        assert models.describer is not None
        models.describer.describe(b"")


def test_under_a_cap_that_does_not_hold_blip_pictures_are_read_and_a_larger_cap_makes_it_good(folder: Path) -> None:
    needed = needed_cap_mb(settings("auto", folder))
    assert needed > 400
    small, large = (open_picture_models(settings("auto", folder), cap_mb=cap) for cap in (needed - 1, needed))
    assert small.model == large.model
    assert (small.describer, small.left_out_under_mb) == (None, needed - 1)
    assert "raise the cap" in small.undescribed
    assert large.describer is not None
    assert (large.undescribed, large.left_out_under_mb) == ("", 0)


@pytest.mark.parametrize("captions", ["ocr", "off"])
def test_where_nothing_is_described_no_cap_is_asked_for(captions: str, folder: Path) -> None:
    assert needed_cap_mb(settings(captions, folder)) == 0
    assert open_picture_models(settings(captions, folder), cap_mb=100).describer is None


def test_a_services_model_is_named_and_its_key_is_not_shown() -> None:
    values = {"INGEST_CAPTIONS": "openai", "INGEST_OPENAI_MODEL": "vision-9", "INGEST_OPENAI_KEY": "sk-very-secret"}
    settings = Settings.model_validate(values)
    with open_picture_models(settings, cap_mb=100) as models:
        assert models.model.startswith("openai/vision-9")
        assert models.left_out_under_mb == 0
    shown = {row.name: row.value for row in setting_rows(settings)}
    assert "sk-very-secret" not in repr(settings) + repr(shown)
    assert shown["INGEST_OPENAI_MODEL"] == "vision-9"
    with pytest.raises(ValidationError, match="INGEST_OPENAI_MODEL") as raised:
        Settings.model_validate(values | {"INGEST_OPENAI_MODEL": ""})
    assert "sk-very-secret" not in str(raised.value)
