"""A picture in, the text that RapidOCR reads in it out; the caption stays empty.

OCR runs in a process of its own (`ocr_worker`), started at the first picture and ended by `close`: its memory is given
back before embedding needs as much, and a picture that crashes it, or keeps it busy past the time limit, costs that
picture and a restart.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from ingest_assets.clients.ocr_models import SHIPPED_LANGUAGE, recognition_model
from ingest_assets.clients.ocr_worker import LENGTH_BYTES, write_message
from ingest_assets.errors import BadInput, ConfigError, OutsideError
from ingest_assets.stages.caption import Reading

# glibc keeps freed memory for each thread and raises its own thresholds as it goes; held at 64 kB and one arena the
# worker peaks 25 to 60 MB lower. The C library reads them as the process starts: the worker could not set them itself.
_ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "MALLOC_TRIM_THRESHOLD_": "65536",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


class RapidOcrCaptioner:
    """Reads pictures with PP-OCR models, those of the `rapidocr` wheel or others. Close it, or use a `with` block."""

    def __init__(
        self,
        languages: Sequence[str] = (SHIPPED_LANGUAGE,),
        *,
        models: Path | None = None,
        time_limit_s: float = 120.0,
    ) -> None:
        """Read these languages, named as RapidOCR names its models; `models` holds those that its wheel does not."""
        self._languages, self._models = tuple(languages), models
        # A dense newspaper page takes 3 s on two cores; the limit is for what never ends, not for slow machines.
        self._time_limit_s = time_limit_s
        self._worker: subprocess.Popen[bytes] | None = None
        self.peak_memory_mb = 0.0
        """Of the worker's process: the highest so far."""

    @property
    def model(self) -> str:
        """Name the models; their sizes tell another file of the same name, without reading it.

        Raises:
            ConfigError: there is no model for a language.
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

    def caption(self, picture: bytes) -> Reading:
        """Read one encoded picture.

        Raises:
            BadInput: it is damaged, crashes the worker, or takes longer than the time limit.
            OutsideError: the worker was killed from outside.
            ConfigError: the worker does not start.
            MemoryError: the worker has not enough memory for it.
        """
        worker = self._worker or self._start()
        try:
            answer = self._ask(worker, picture)
        except TimeoutError as error:
            self._end()
            raise BadInput(f"picture: not read within {self._time_limit_s:g} seconds; left out") from error
        except (BrokenPipeError, EOFError) as error:
            self._end(grace_s=10.0)
            raise _died(worker.returncode) from error
        except BaseException:
            self._end()  # interrupted between question and answer: the next answer would be this picture's
            raise
        self.peak_memory_mb = max(self.peak_memory_mb, answer["peak_mb"])
        return _reading(answer)

    def close(self) -> None:
        """End the worker; the next picture would start another."""
        self._end(grace_s=10.0)

    def _start(self) -> subprocess.Popen[bytes]:
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "ingest_assets.clients.ocr_worker", *self._languages, *self._folder()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **_ENVIRONMENT},
        )
        return self._worker

    def _folder(self) -> list[str]:
        return ["--models", str(self._models)] if self._models else []

    def _ask(self, worker: subprocess.Popen[bytes], picture: bytes) -> dict[str, Any]:
        assert worker.stdin is not None and worker.stdout is not None
        deadline = time.monotonic() + self._time_limit_s
        write_message(worker.stdin, picture)
        descriptor = worker.stdout.fileno()
        length = int.from_bytes(_receive(descriptor, LENGTH_BYTES, deadline=deadline), "big")
        answer: dict[str, Any] = json.loads(_receive(descriptor, length, deadline=deadline))
        return answer

    def _end(self, *, grace_s: float = 0.0) -> None:
        """Close its input, which ends it between pictures; kill it after the grace."""
        worker, self._worker = self._worker, None
        if worker is None:
            return
        assert worker.stdin is not None and worker.stdout is not None
        with suppress(BrokenPipeError):  # it is gone, with a picture still in the buffer
            worker.stdin.close()
        try:
            worker.wait(grace_s)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
        worker.stdout.close()


def _receive(descriptor: int, count: int, *, deadline: float) -> bytes:
    """Read exactly so many bytes before the deadline."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    received = b""
    while len(received) < count:
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError
        piece = os.read(descriptor, count - len(received))
        if not piece:
            raise EOFError
        received += piece
    return received


def _died(return_code: int) -> Exception:
    """Say who must act on a worker that ended by itself."""
    if return_code in {-signal.SIGKILL, -signal.SIGTERM}:
        return OutsideError(
            f"OCR: its process was killed (signal {-return_code}), probably for want of memory; run the file again"
        )
    if return_code == -signal.SIGABRT:  # how C++ ends a process whose allocation was refused
        return MemoryError("OCR: its process gave up (signal 6), as it does where memory is refused")
    if return_code < 0:
        return BadInput(f"picture: crashed its reader (signal {-return_code}); left out")
    return ConfigError(f"OCR: its process ended with code {return_code}; its own message stands on stderr")


def _reading(answer: dict[str, Any]) -> Reading:
    if "fatal" in answer:
        raise ConfigError(f"OCR cannot start: {answer['fatal']}")
    if "out_of_memory" in answer:
        raise MemoryError(f"OCR: {answer['out_of_memory']}")
    if "problem" in answer:
        raise BadInput(answer["problem"])
    return Reading(caption="", text=answer["text"], confidence=answer["confidence"])
