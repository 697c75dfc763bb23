"""Settings in, the models that look at pictures out: what reads the text in them, and what says what they show."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from ingest_assets.clients.ocr.rapidocr_captioner import RapidOcrCaptioner
from ingest_assets.clients.pictures import blip_weights
from ingest_assets.clients.pictures.blip_describer import BlipDescriber
from ingest_assets.clients.pictures.no_captioner import NoCaptioner
from ingest_assets.clients.pictures.no_describer import NoDescriber
from ingest_assets.config.settings import Settings
from ingest_assets.stages.attempts import LEFT_OUT_UNDER
from ingest_assets.stages.caption import Describer, model_of


class Closing(Describer, Protocol):
    """A describer that may hold a process."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class PictureModels:
    """What looks at pictures. They start at the first picture and end with the `with` block."""

    captioner: NoCaptioner | RapidOcrCaptioner
    describer: Closing | None = None
    left_out: dict[str, int] = field(default_factory=dict)
    """What the manifest must say where a model was left out for want of memory."""

    @property
    def model(self) -> str:
        """Name them: other names mean that pictures are captioned again."""
        return model_of(self.captioner, self.describer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.captioner.__exit__(kind, error, trace)
        if self.describer:
            self.describer.close()


def open_picture_models(settings: Settings, *, cap_mb: int = 0) -> PictureModels:
    """Open what the settings name; under a cap that does not hold BLIP, pictures are read and not described.

    They are named alike whatever the cap: a file is not out of date because another run had more memory.
    """
    if settings.captions == "off":
        return PictureModels(NoCaptioner())
    reader = RapidOcrCaptioner(settings.ocr_languages.split(","), models=settings.ocr_model_dir)
    if settings.captions == "openai":
        return PictureModels(reader, _service(settings))
    if not uses_blip(settings):
        return PictureModels(reader)
    blip, needed_mb = BlipDescriber(settings.blip_model), needed_cap_mb(settings)
    if not 0 < cap_mb < needed_mb:
        return PictureModels(reader, blip)
    reason = (
        f"a run with BLIP and OCR needs {needed_mb:,} MB, more than its cap of {cap_mb:,}: raise the cap and "
        "materialise the file again, or set INGEST_CAPTIONS=ocr"
    )
    return PictureModels(reader, NoDescriber(reason, model=blip.model), {LEFT_OUT_UNDER: cap_mb})


def _service(settings: Settings) -> Closing:
    from ingest_assets.clients.pictures.openai_describer import OpenAiDescriber

    key = settings.openai_key.get_secret_value().strip()
    return OpenAiDescriber(settings.openai_model, base_url=settings.openai_url, key=key)


def uses_blip(settings: Settings) -> bool:
    """Tell whether BLIP describes pictures; by `auto` only where all that it needs is on this machine."""
    return settings.captions == "blip" or (settings.captions == "auto" and blip_weights.can_run(settings.blip_model))


def needed_cap_mb(settings: Settings) -> int:
    """Say what cap a run needs to describe pictures, in MB; 0 where none does or the weights are not there yet."""
    return blip_weights.needed_cap_mb(settings.blip_model) if uses_blip(settings) else 0
