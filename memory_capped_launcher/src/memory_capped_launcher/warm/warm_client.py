"""Hand a run to the warm process, starting one first if none can take it.

If no warm process can serve, the run is launched cold, and its first event says why. A cold launch works wherever
Python does, so a launch fails only if the register cannot be written or the interpreter cannot be started.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from memory_capped_launcher.errors import LauncherConfigError, LauncherUnavailableError
from memory_capped_launcher.request import RunRequest
from memory_capped_launcher.warm import protocol
from memory_capped_launcher.warm.preload import environment_digest

_ANSWER_S = 10.0  # it forks in milliseconds; a machine that swaps takes longer
_PING_S = 3.0
_DO_NOT_TRY_AGAIN_FOR_S = 60.0
_log = logging.getLogger("dagster.memory_capped")


@dataclass(frozen=True, slots=True)
class CodeToLoad:
    """The code that a warm process has to import."""

    executable: str
    repository_origin: str
    """Dagster's own description of where the definitions are, serialised."""
    version: str
    """Changes when a code server loads other definitions; empty if it is not known (`loaded_code`)."""

    @property
    def socket_name(self) -> str:
        """The name of the warm process's socket: one per code location."""
        return hashlib.sha256(f"{self.executable}\0{self.repository_origin}".encode()).hexdigest()[:16] + ".sock"


class WarmClient:
    """Hands runs to warm processes, and does not ask again for a minute after one could not be started."""

    def __init__(
        self,
        folder: Path,
        *,
        start_timeout_s: float,
        idle_s: float,
        modules: Sequence[str],
        learn_modules: Sequence[str],
        cache_migrations: bool,
    ) -> None:
        self._folder = folder / "warm"
        self._start_timeout_s = start_timeout_s
        self._idle_s = idle_s
        self._options = {
            "modules": list(modules),
            "learn_modules": list(learn_modules),
            "cache_migrations": cache_migrations,
        }
        self._not_before: dict[str, tuple[float, str]] = {}

    def launch(self, request: RunRequest, *, code: CodeToLoad, lock: int) -> str:
        """Start the run; return why it was launched cold, or an empty string.

        Raises:
            LauncherUnavailableError: not even a cold process could be started.
        """
        why = self._launch_warm(request, code=code, lock=lock)
        if why:
            _log.warning("run %s is launched cold: %s", request.run_id, why)
            launch_cold(request, code=code, lock=lock, why=why)
        return why

    def _launch_warm(self, request: RunRequest, *, code: CodeToLoad, lock: int) -> str:
        """Return why the warm process did not take the run; empty if it did."""
        not_before, why = self._not_before.get(code.socket_name, (0.0, ""))
        if time.monotonic() < not_before:
            return why
        fields = {"op": "launch", "run": request.fields(), **self._versions(code)}
        try:
            reply = self._ask(code, fields, lock)
            if not reply["ok"]:
                self._start(code, request.instance_ref)
                reply = self._ask(code, fields, lock)
            return "" if reply["ok"] else str(reply["why"])
        except (LauncherConfigError, LauncherUnavailableError, OSError) as error:
            self._not_before[code.socket_name] = (time.monotonic() + _DO_NOT_TRY_AGAIN_FOR_S, str(error))
            return str(error)

    def _versions(self, code: CodeToLoad) -> dict[str, Any]:
        """Return what the warm process must have been started with; it refuses a run otherwise."""
        return {"environment": environment_digest(), "version": code.version, "options": self._options}

    def _ask(self, code: CodeToLoad, fields: dict[str, Any], lock: int | None) -> dict[str, Any]:
        """Ask the warm process; if it does not answer, return a refusal."""
        timeout_s = _PING_S if lock is None else _ANSWER_S
        try:
            return protocol.ask(self._folder, code.socket_name, fields, timeout_s=timeout_s, descriptor=lock)
        except LauncherUnavailableError as error:
            return {"ok": False, "why": str(error)}

    def _start(self, code: CodeToLoad, instance_ref: str) -> None:
        """Start a warm process, unless another launcher has just started it.

        Raises:
            LauncherUnavailableError: it did not start, or cannot serve.
        """
        protocol.check_private(self._folder)
        with (self._folder / f"{code.socket_name}.starting").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if self._ask(code, {"op": "ping", **self._versions(code)}, None)["ok"]:
                return
            start = {
                "repository_origin": code.repository_origin,
                "instance_ref": instance_ref,
                "folder": str(self._folder),
                "name": code.socket_name,
                "idle_s": self._idle_s,
                "options": self._options,
                "version": code.version,
            }
            log = self._folder / f"{code.socket_name}.log"
            answer = _start_process(code, "warm_process", start, log=log, timeout_s=self._start_timeout_s, keep_open=())
        if answer != "ready":
            raise LauncherUnavailableError(
                f"the warm process did not start: {answer or 'it ended without a word'}; see {log}"
            )


def launch_cold(request: RunRequest, *, code: CodeToLoad, lock: int, why: str) -> None:
    """Start the run without a warm process; `why` becomes part of its first event.

    Raises:
        LauncherUnavailableError: the process could not be started.
    """
    request = replace(request, notes=" ".join([request.notes, f"Launched cold, because {why}."]).strip())
    log = request.root / "cold.log"
    answer = _start_process(
        code, "cold_process", {"run": request.fields(), "lock": lock}, log=log, timeout_s=60.0, keep_open=(lock,)
    )
    if answer != "ready":
        raise LauncherUnavailableError(
            f"run {request.run_id} could not be started: {answer or 'its process ended'}; see {log}"
        )


def _start_process(
    code: CodeToLoad, module: str, start: dict[str, Any], *, log: Path, timeout_s: float, keep_open: tuple[int, ...]
) -> str:
    """Start a background process; return the line in which it answers `ready`, or why it is not."""
    executable = code.executable if os.access(code.executable, os.X_OK) else "python3"
    try:
        with log.open("wb") as errors:
            done = subprocess.run(
                [executable, "-m", f"memory_capped_launcher.warm.{module}"],
                input=json.dumps(start).encode() + b"\n",
                stdout=subprocess.PIPE,
                stderr=errors,
                timeout=timeout_s,
                pass_fds=keep_open,
                check=False,
            )
    except subprocess.TimeoutExpired:
        return f"it was not ready after {timeout_s:g} s"
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return done.stdout.decode(errors="replace").strip()
