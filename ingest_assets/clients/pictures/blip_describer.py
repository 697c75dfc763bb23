"""Describe pictures with BLIP.

BLIP runs in a process of its own (`blip_worker`), started at the first picture: torch is imported there and nowhere
else, and its memory is given back before embedding needs as much.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from ingest_assets.clients.pictures import blip_weights
from ingest_assets.clients.pictures.worker_process import WorkerProcess

HUB_NAME = "Salesforce/blip-image-captioning-base"

# Waiting threads sleep at once. Threads that spin take processor time from each other on a busy machine, and a
# caption then takes four times as long (docs/decisions/pictures.md).
_ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
    "MALLOC_ARENA_MAX": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_OFFLINE": "1",  # the weights have been fetched before the worker starts
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}


class BlipDescriber:
    """Describes pictures with a BLIP model from a folder or the hub. Close it, or use a `with` block."""

    def __init__(self, model: str = HUB_NAME, *, time_limit_s: float = 120.0, start_limit_s: float = 300.0) -> None:
        """Take the model's name on the hub, or its folder; weights are looked for at the first picture.

        A picture takes 2 s on two free cores, and loading the model 10 s: the limits only stop a process that hangs.
        """
        self._model = model
        self._worker = WorkerProcess(
            "ingest_assets.clients.pictures.blip_worker",
            name="BLIP",
            arguments=lambda: [str(blip_weights.find_weights(model))],
            environment=_ENVIRONMENT,
            time_limit_s=time_limit_s,
            start_limit_s=start_limit_s,
        )

    @property
    def model(self) -> str:
        """Name the model."""
        return f"blip/{blip_weights.identity(self._model)}"

    @property
    def peak_memory_mb(self) -> float:
        """Peak memory of the worker's process so far, without the pages of mapped files."""
        return self._worker.peak_memory_mb

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def describe(self, picture: bytes) -> str:
        """Describe one encoded picture in a sentence.

        Raises:
            BadInput: it is damaged, crashes the worker, or takes longer than the time limit.
            OutsideError: the worker was killed from outside.
            ConfigError: there are no weights, or they cannot be loaded.
            MemoryError: the worker has not enough memory.
        """
        return str(self._worker.ask(picture)["caption"])

    def close(self) -> None:
        """End the worker; the next picture would start another."""
        self._worker.close()
