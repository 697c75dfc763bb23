"""Environment in, one typed table of settings out. Nothing else reads the environment.

Every setting has a default that works on a laptop. A wrong value, or a name that does not exist, stops the start with
one message that names every problem.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ingest_assets.config.problems import join, say
from ingest_assets.errors import ConfigError


class Settings(BaseSettings):
    """Every setting. The field's alias is the environment variable; `ingest config` prints this table."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    home: Path = Field(
        default=Path(".dagster_home"),
        validation_alias="DAGSTER_HOME",
        description="folder of the Dagster instance; the defaults below lie in it",
    )
    bucket: str = Field(
        default="",
        validation_alias="INGEST_BUCKET",
        description="where files arrive: a folder, as a path or file:// URL (default: bucket/ in the home)",
    )
    artifacts: Path = Field(
        default=Path(),
        validation_alias="INGEST_ARTIFACTS",
        description="folder of the stages' results (default: artifacts/ in the home)",
    )
    store: Literal["chroma", "pgvector", "atlas"] = Field(
        default="chroma", validation_alias="INGEST_STORE", description="the vector store: chroma, pgvector or atlas"
    )
    chroma: str = Field(
        default="",
        validation_alias="INGEST_CHROMA",
        description="Chroma: a folder (embedded) or the http(s):// URL of a server (default: chroma/ in the home)",
    )
    chroma_tenant: str = Field(
        default="default_tenant", validation_alias="INGEST_CHROMA_TENANT", description="Chroma server: tenant"
    )
    chroma_database: str = Field(
        default="default_database", validation_alias="INGEST_CHROMA_DATABASE", description="Chroma server: database"
    )
    pgvector: str = Field(
        default="",
        validation_alias="INGEST_PGVECTOR",
        description="PostgreSQL: postgresql://user:password@host:port/database",
    )
    pgvector_schema: str = Field(
        default="public",
        pattern="^[A-Za-z_][A-Za-z0-9_$]{0,62}$",
        validation_alias="INGEST_PGVECTOR_SCHEMA",
        description="PostgreSQL: schema of the tables; another one where the database has a table `chunks` or `files`",
    )
    pgvector_halfvec: bool = Field(
        default=False,
        validation_alias="INGEST_PGVECTOR_HALFVEC",
        description="PostgreSQL: keep vectors as 16-bit numbers, in half the space",
    )
    mongo_uri: str = Field(
        default="",
        validation_alias="MONGO_URI",
        description="MongoDB: mongodb:// or mongodb+srv:// with user and password",
    )
    mongo_db: str = Field(
        default="studybuddy", min_length=1, validation_alias="MONGO_DB", description="MongoDB: name of the database"
    )
    atlas_vector: bool = Field(
        default=False,
        validation_alias="ATLAS_VECTOR",
        description="MongoDB: 1 searches by an Atlas Vector Search index, 0 exactly, row by row",
    )
    embedder: Literal["openvino", "torch"] = Field(
        default="openvino",
        validation_alias="INGEST_EMBEDDER",
        description="what computes the vectors: openvino (small, fast) or torch (sentence-transformers)",
    )
    model_dir: Path | None = Field(
        default=None,
        validation_alias="INGEST_MODEL_DIR",
        description="folder with the weights of all-MiniLM-L6-v2 (default: the installed package, then the model hub)",
    )
    next_model_dir: Path | None = Field(
        default=None,
        validation_alias="INGEST_NEXT_MODEL_DIR",
        description="folder of the model that `ingest change-model` changes to; used from the switch on",
    )
    model_cache: Path = Field(
        default=Path(),
        validation_alias="INGEST_MODEL_CACHE",
        description="folder of converted models (default: models/ in the home)",
    )
    captions: Literal["auto", "blip", "openai", "ocr", "off"] = Field(
        default="auto",
        validation_alias="INGEST_CAPTIONS",
        description="pictures: ocr reads the text in them, blip and openai say what they show as well, auto is blip "
        "where its weights are on disk and else ocr; off leaves them and scanned pages unread",
    )
    blip_model: str = Field(
        default="Salesforce/blip-image-captioning-base",
        min_length=1,
        validation_alias="INGEST_BLIP_MODEL",
        description="the BLIP model: its name on the model hub, or its folder",
    )
    openai_url: str = Field(
        default="https://api.openai.com/v1",
        pattern="^https?://",
        validation_alias="INGEST_OPENAI_URL",
        description="INGEST_CAPTIONS=openai: base URL of an OpenAI-compatible service; pictures are sent there",
    )
    openai_key: SecretStr = Field(
        default=SecretStr(""), validation_alias="INGEST_OPENAI_KEY", description="the service's key, if it asks for one"
    )
    openai_model: str = Field(
        default="", validation_alias="INGEST_OPENAI_MODEL", description="name of the service's vision model"
    )
    ocr_languages: str = Field(
        default="ch",
        pattern="^[a-z_]+(,[a-z_]+)*$",
        validation_alias="INGEST_OCR_LANGUAGES",
        description="what OCR reads, by RapidOCR's names, with commas; ch is Chinese, Japanese and Latin letters",
    )
    ocr_model_dir: Path | None = Field(
        default=None,
        validation_alias="INGEST_OCR_MODEL_DIR",
        description="folder of RapidOCR's models for other languages (arabic_PP-OCRv5_rec_mobile.onnx, …)",
    )
    max_file_mb: int = Field(
        default=50, ge=1, le=10_000, validation_alias="MAX_FILE_MB", description="larger files are refused, in MB"
    )
    max_pages: int = Field(
        default=20_000,
        ge=1,
        validation_alias="INGEST_MAX_PAGES",
        description="files with more pages, slides or sheets are refused",
    )
    max_picture_pixels: int = Field(
        default=40_000_000,
        ge=10_000,
        validation_alias="INGEST_MAX_PICTURE_PIXELS",
        description="larger pictures are left out, with a warning",
    )
    settle_s: float = Field(
        default=5.0,
        ge=0,
        validation_alias="INGEST_SETTLE_S",
        description="a file must have been at rest for so long before the sensor takes it up, in seconds",
    )
    window_parts: int = Field(
        default=16,
        ge=1,
        le=4096,
        validation_alias="INGEST_WINDOW",
        description="pages (slides, blocks of rows or text) in memory at once; never changes the result",
    )
    max_words: int = Field(
        default=500, ge=20, le=5000, validation_alias="INGEST_CHUNK_MAX_WORDS", description="words per chunk, at most"
    )
    min_words: int = Field(
        default=150,
        ge=1,
        validation_alias="INGEST_CHUNK_MIN_WORDS",
        description="words per chunk, at least, where the document allows",
    )
    overlap_words: int = Field(
        default=50,
        ge=0,
        validation_alias="INGEST_CHUNK_OVERLAP_WORDS",
        description="words that a chunk repeats from the one before",
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_means_default(cls, values: Any) -> Any:
        return {name: value for name, value in values.items() if value != ""}

    @model_validator(mode="after")
    def _can_read(self) -> Self:
        folder = self.ocr_model_dir or Path()
        for language in self.ocr_languages.split(","):
            if language != "ch" and not any(folder.glob(f"{language}_PP-OCR*_rec_*.onnx")):
                raise ValueError(
                    f"INGEST_OCR_LANGUAGES: no model {language}_PP-OCR*_rec_*.onnx in INGEST_OCR_MODEL_DIR "
                    f"({self.ocr_model_dir or 'not set'}); lay RapidOCR's there"
                )
        return self

    @model_validator(mode="after")
    def _fill_in(self) -> Self:
        if self.min_words + self.overlap_words > self.max_words:
            raise ValueError(
                "INGEST_CHUNK_MIN_WORDS + INGEST_CHUNK_OVERLAP_WORDS must not be more than INGEST_CHUNK_MAX_WORDS"
            )
        if self.overlap_words > self.max_words // 2:
            raise ValueError("INGEST_CHUNK_OVERLAP_WORDS must not be more than half of INGEST_CHUNK_MAX_WORDS")
        for name, folder in (
            ("INGEST_MODEL_DIR", self.model_dir),
            ("INGEST_NEXT_MODEL_DIR", self.next_model_dir),
            ("INGEST_OCR_MODEL_DIR", self.ocr_model_dir),
        ):
            if folder is not None and not folder.is_dir():
                raise ValueError(f"{name}: {folder} is no folder; name one that holds the weights")
        if self.captions == "openai" and not self.openai_model:
            raise ValueError("INGEST_OPENAI_MODEL: INGEST_CAPTIONS is openai; name the service's vision model")
        for store, name, value in (
            ("pgvector", "INGEST_PGVECTOR", self.pgvector),
            ("atlas", "MONGO_URI", self.mongo_uri),
        ):
            if self.store == store and not value:
                raise ValueError(f"{name}: INGEST_STORE is {store}; say here where it is")
        home = self.home.absolute()
        # Frozen to everyone else; the defaults that depend on another field are known only here.
        object.__setattr__(self, "home", home)
        object.__setattr__(self, "bucket", self.bucket or str(home / "bucket"))
        object.__setattr__(self, "chroma", self.chroma or str(home / "chroma"))
        object.__setattr__(self, "artifacts", _or_default(self.artifacts, home / "artifacts"))
        object.__setattr__(self, "model_cache", _or_default(self.model_cache, home / "models"))
        return self


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        ConfigError: naming every wrong or unknown setting at once.
    """
    problems = [f"{name}: there is no such setting" for name in _unknown(os.environ)]
    try:
        settings = Settings()
    except ValidationError as error:
        problems += [say(problem) for problem in error.errors()]
        raise ConfigError(join(problems)) from error
    if problems:
        raise ConfigError(join(problems))
    return settings


def _unknown(environment: Mapping[str, str]) -> list[str]:
    known = {str(field.validation_alias) for field in Settings.model_fields.values()}
    return sorted(name for name in environment if name.startswith("INGEST_") and name not in known)


def _or_default(path: Path, default: Path) -> Path:
    return default if path == Path() else path.absolute()
