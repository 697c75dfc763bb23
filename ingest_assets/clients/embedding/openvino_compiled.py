"""Compile a model for this host's processor, and keep the result beside the model file for the next process.

Compiling MiniLM takes 0.15 to 0.3 s of processor time, and each run is a new process: for a small file that is a fifth
of the run. OpenVINO's cache names a compiled model by its model, options, processor and OpenVINO version, so another
host or release compiles again. OpenVINO writes in place, and a run may be killed at any moment; therefore each process
writes to a folder of its own and moves the finished file.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

_KEPT = "compiled"
_UNFINISHED = "half-"
_ABANDONED_S = 3600  # compiling takes a second: a folder of that age belongs to a process that was killed


def compiled(core: Any, model: Path, options: dict[str, Any]) -> Any:
    """Load the compiled model if it was kept, else compile it and keep it if the folder can be written."""
    kept = model.parent / _KEPT
    try:
        kept.mkdir(exist_ok=True)
        _remove_abandoned(kept)
        scratch = TemporaryDirectory(prefix=_UNFINISHED, dir=kept, ignore_cleanup_errors=True)
    except OSError:  # this user may not write to the folder of the model
        return core.compile_model(model, "CPU", options)
    with scratch as folder:
        for path in kept.glob("*.blob"):
            with suppress(OSError):  # removed meanwhile, or the file system has no links: the model is compiled
                os.link(path, Path(folder) / path.name)
        result = core.compile_model(model, "CPU", options | {"CACHE_DIR": folder})
        for path in Path(folder).glob("*.blob"):
            if not (kept / path.name).exists() or not path.samefile(
                kept / path.name
            ):  # new, or the kept one was damaged
                _keep_only(path, kept)
    return result


def _keep_only(new: Path, kept: Path) -> None:
    """Move the new file to its place and remove the others: each upgrade would leave one of 90 MB behind."""
    new.chmod(0o644)  # OpenVINO makes 0400, which would lock out the user that the service runs as
    new.rename(kept / new.name)
    for path in kept.glob("*.blob"):
        if path.name != new.name:
            path.unlink(missing_ok=True)


def _remove_abandoned(kept: Path) -> None:
    for folder in kept.glob(f"{_UNFINISHED}*"):
        if time.time() - folder.stat().st_mtime > _ABANDONED_S:
            shutil.rmtree(folder, ignore_errors=True)
