"""Open the models that the settings name for pictures: one reads the text in them, one describes what they show."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ingest_assets.clients.ocr.rapidocr_captioner import RapidOcrCaptioner
from ingest_assets.clients.pictures import blip_weights
from ingest_assets.clients.pictures.blip_describer import BlipDescriber
from ingest_assets.config.settings import Settings
from ingest_assets.stages.caption import model_of

if TYPE_CHECKING:
    from ingest_assets.clients.pictures.openai_describer import OpenAiDescriber


@dataclass(frozen=True)
class PictureModels:
    """The models that look at pictures. They start at the first picture and end with the `with` block."""

    model: str
    """Names them: other names mean that pictures are captioned again."""
    captioner: RapidOcrCaptioner | None = None
    """None: no text is read."""
    describer: BlipDescriber | OpenAiDescriber | None = None
    """None: pictures are not described."""
    undescribed: str = ""
    """Why the named describer does not run; empty where it does, or where none is named."""
    left_out_under_mb: int = 0
    """The cap that the describer does not fit under; 0 where it fits."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for model in (self.captioner, self.describer):
            if model:
                model.close()


def open_picture_models(settings: Settings, *, cap_mb: int = 0) -> PictureModels:
    """Open what the settings name; under a cap that does not hold BLIP, pictures are read and not described.

    The name is the same under any cap: a file is not out of date because another run had more memory.
    """
    if settings.captions == "off":
        return PictureModels(model_of(None, None))
    reader = RapidOcrCaptioner(settings.ocr_languages.split(","), models=settings.ocr_model_dir)
    if settings.captions == "openai":
        service = _service(settings)
        return PictureModels(model_of(reader, service), reader, service)
    if not uses_blip(settings):
        return PictureModels(model_of(reader, None), reader)
    blip, needed_mb = BlipDescriber(settings.blip_model), needed_cap_mb(settings)
    model = model_of(reader, blip)
    if not 0 < cap_mb < needed_mb:
        return PictureModels(model, reader, blip)
    reason = (
        f"a run with BLIP and OCR needs {needed_mb:,} MB, more than its cap of {cap_mb:,}: raise the cap and "
        "materialise the file again, or set INGEST_CAPTIONS=ocr"
    )
    return PictureModels(model, reader, undescribed=reason, left_out_under_mb=cap_mb)


def _service(settings: Settings) -> OpenAiDescriber:
    from ingest_assets.clients.pictures.openai_describer import OpenAiDescriber

    key = settings.openai_key.get_secret_value().strip()
    return OpenAiDescriber(settings.openai_model, base_url=settings.openai_url, key=key)


def uses_blip(settings: Settings) -> bool:
    """Tell whether BLIP describes pictures; with `auto` only if its weights and libraries are on this machine."""
    return settings.captions == "blip" or (settings.captions == "auto" and blip_weights.can_run(settings.blip_model))


def needed_cap_mb(settings: Settings) -> int:
    """Return the cap that a run needs to describe pictures, in MB; 0 if it does not, or the weights are not there."""
    return blip_weights.needed_cap_mb(settings.blip_model) if uses_blip(settings) else 0
