"""Define the settings of the models: for embedding, for captions of pictures, and for OCR."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, SecretStr, field_validator


class ModelSettings(BaseModel):
    """Models."""

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
        description="folder of converted models",
    )
    captions: Literal["auto", "blip", "openai", "ocr", "off"] = Field(
        default="auto",
        validation_alias="INGEST_CAPTIONS",
        description="pictures: ocr reads the text in them, blip and openai also say what they show, auto is blip "
        "if its weights are on disk, otherwise ocr; off leaves pictures and scanned pages unread",
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

    @field_validator("model_cache")
    @classmethod
    def _absolute_cache(cls, folder: Path) -> Path:
        return folder.absolute()

    def model_problems(self) -> Iterator[str]:
        """Name what is wrong with the settings of the models."""
        for name, folder in (
            ("INGEST_MODEL_DIR", self.model_dir),
            ("INGEST_NEXT_MODEL_DIR", self.next_model_dir),
            ("INGEST_OCR_MODEL_DIR", self.ocr_model_dir),
        ):
            if folder is not None and not folder.is_dir():
                yield f"{name}: {folder} is no folder; name one that holds the weights"
        models = self.ocr_model_dir or Path()
        for language in self.ocr_languages.split(","):
            if language != "ch" and not any(models.glob(f"{language}_PP-OCR*_rec_*.onnx")):
                yield (
                    f"INGEST_OCR_LANGUAGES: no model {language}_PP-OCR*_rec_*.onnx in INGEST_OCR_MODEL_DIR "
                    f"({self.ocr_model_dir or 'not set'}); put RapidOCR's there"
                )
        if self.captions == "openai" and not self.openai_model:
            yield "INGEST_OPENAI_MODEL: INGEST_CAPTIONS is openai, and this is empty; name the service's vision model"
