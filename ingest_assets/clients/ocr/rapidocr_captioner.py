"""Read the text in a picture with RapidOCR; the caption stays empty.

OCR runs in a separate process (`worker.py`), so that its memory is free again before embedding needs as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from ingest_assets.clients.ocr.models import SHIPPED_LANGUAGE, recognition_model
from ingest_assets.clients.pictures.worker_process import WorkerProcess
from ingest_assets.errors import ConfigError
from ingest_assets.stages.caption import PictureText

# glibc keeps freed memory per thread and raises its thresholds over time. With fixed thresholds of 64 kB and one arena
# the worker's peak is 25 to 60 MB lower. The C library reads them when the process starts, so they are set here.
_ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "MALLOC_TRIM_THRESHOLD_": "65536",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


class RapidOcrCaptioner:
    """Reads pictures with PP-OCR models of the `rapidocr` wheel or of a folder. Close it, or use a `with` block."""

    def __init__(
        self,
        languages: Sequence[str] = (SHIPPED_LANGUAGE,),
        *,
        models: Path | None = None,
        time_limit_s: float = 120.0,
    ) -> None:
        """Read these languages, in RapidOCR's names; `models` is the folder of models that its wheel does not have."""
        self._languages, self._models = tuple(languages), models
        # A dense newspaper page takes 3 s on two cores; the limit stops a worker that hangs, also on slow machines.
        self._worker = WorkerProcess(
            "ingest_assets.clients.ocr.worker",
            name="OCR",
            arguments=lambda: [*self._languages, *(["--models", str(models)] if models else [])],
            environment=_ENVIRONMENT,
            time_limit_s=time_limit_s,
        )

    @property
    def peak_memory_mb(self) -> float:
        """Peak memory of the worker's process so far, without the pages of mapped files."""
        return self._worker.peak_memory_mb

    @property
    def model(self) -> str:
        """Names and sizes of the models; the size shows another file of the same name without reading it.

        Raises:
            ConfigError: a language has no model.
        """
        try:
            paths = [recognition_model(language, folder=self._models) for language in self._languages]
        except FileNotFoundError as error:
            raise ConfigError(f"OCR: {error}") from error
        return "/".join(["rapidocr-3.10.0", *(f"{path.stem}-{path.stat().st_size}" for path in paths)])

    def __enter__(self) -> RapidOcrCaptioner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def caption(self, picture: bytes) -> PictureText:
        """Read one encoded picture.

        Raises:
            BadInput: the picture is damaged, crashes the worker, or takes longer than the time limit.
            OutsideError: the worker was killed from outside.
            ConfigError: the worker does not start.
            MemoryError: the worker does not have enough memory.
        """
        answer = self._worker.ask(picture)
        return PictureText(text=answer["text"], confidence=answer["confidence"])

    def close(self) -> None:
        """End the worker; the next picture starts another one."""
        self._worker.close()
