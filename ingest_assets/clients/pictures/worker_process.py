"""Run a model in a process of its own, and ask it about pictures one by one.

The process (`worker_loop`) is started at the first picture and ended by `close`. If a picture crashes it, or takes
longer than the time limit, that picture is refused and the process is started again.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ingest_assets.clients.pictures.worker_loop import LENGTH_BYTES, write_message
from ingest_assets.errors import BadInput, ConfigError, OutsideError


class WorkerProcess:
    """A model in a process of its own, started when it is first asked. Close it."""

    def __init__(
        self,
        module: str,
        *,
        name: str,
        arguments: Callable[[], Sequence[str]],
        environment: Mapping[str, str],
        time_limit_s: float,
        start_limit_s: float = 0.0,
    ) -> None:
        """Run a module of this package; `name` is what messages call it.

        `arguments` are asked for when it starts. A picture may take `time_limit_s`, the first `start_limit_s` more.
        """
        self._module, self._name, self._arguments = module, name, arguments
        self._environment = environment
        self._time_limit_s, self._start_limit_s = time_limit_s, start_limit_s
        self._process: subprocess.Popen[bytes] | None = None
        self.peak_memory_mb = 0.0
        """Of the process: the highest so far, without the pages of mapped files."""

    def ask(self, picture: bytes) -> dict[str, Any]:
        """Show one encoded picture.

        Raises:
            BadInput: it is damaged, crashes the process, or takes longer than the time limit.
            OutsideError: the process was killed from outside.
            ConfigError: the process does not start.
            MemoryError: the process has not enough memory for it.
        """
        limit_s = self._time_limit_s + (0.0 if self._process else self._start_limit_s)
        process = self._process or self._start()
        try:
            answer = _exchange(process, picture, deadline=time.monotonic() + limit_s)
        except TimeoutError as error:
            self._end()
            raise BadInput(f"picture: not read within {limit_s:g} seconds; left out") from error
        except EOFError as error:
            self._end(grace_s=10.0)
            raise self._died(process.returncode) from error
        except BaseException:
            self._end()  # interrupted between question and answer: the next answer would be this picture's
            raise
        self.peak_memory_mb = max(self.peak_memory_mb, answer["peak_mb"])
        return self._checked(answer)

    def close(self) -> None:
        """End the process; the next picture would start another."""
        self._end(grace_s=10.0)

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            [sys.executable, "-m", self._module, *self._arguments()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **self._environment},
        )
        return self._process

    def _end(self, *, grace_s: float = 0.0) -> None:
        """Close its input, which ends it between pictures; kill it after the grace period."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        with suppress(BrokenPipeError):  # it is gone, with a picture still in the buffer
            process.stdin.close()
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def _checked(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return the answer, or raise what it reports."""
        if "fatal" in answer:
            self.close()
            raise ConfigError(f"{self._name} cannot start: {answer['fatal']}")
        if "out_of_memory" in answer:
            self.close()  # it may have ended by itself
            raise MemoryError(f"{self._name}: {answer['out_of_memory']}")
        if "problem" in answer:
            raise BadInput(answer["problem"])
        return answer

    def _died(self, return_code: int) -> Exception:
        """Return the error for a process that ended by itself, by who must act on it."""
        if return_code in {-signal.SIGKILL, -signal.SIGTERM}:
            return OutsideError(
                f"{self._name}: its process was killed (signal {-return_code}), probably for lack of memory; "
                "run the file again"
            )
        if return_code == -signal.SIGABRT:  # how C++ ends a process whose allocation was refused
            return MemoryError(f"{self._name}: its process gave up (signal 6), as it does where memory is refused")
        if return_code < 0:
            return BadInput(f"picture: crashed its reader (signal {-return_code}); left out")
        return ConfigError(f"{self._name}: its process ended with code {return_code}; its own message stands on stderr")


def _exchange(process: subprocess.Popen[bytes], picture: bytes, *, deadline: float) -> dict[str, Any]:
    assert process.stdin is not None and process.stdout is not None
    with suppress(BrokenPipeError):  # it ended before it had the whole picture; its answer may say why
        write_message(process.stdin, picture)
    descriptor = process.stdout.fileno()
    length = int.from_bytes(_receive(descriptor, LENGTH_BYTES, deadline=deadline), "big")
    answer: dict[str, Any] = json.loads(_receive(descriptor, length, deadline=deadline))
    return answer


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
