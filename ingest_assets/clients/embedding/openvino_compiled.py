"""A model file in, the model compiled for this host's processor out; compiled once, kept beside the file.

Compiling MiniLM takes 0.15 to 0.3 s of processor time, and each run is a new process: for a small file that is a fifth
of the run. OpenVINO names what it keeps by model, options, processor and its own version, so another host or release
compiles anew. It writes in place, and a run may be killed at any moment: so it writes to a folder of the process's own,
from which what is whole is moved.
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
_HALF = "half-"
_LEFT_BEHIND_S = 3600  # compiling takes a second; a folder of that age is a killed process's


def compiled(core: Any, model: Path, options: dict[str, Any]) -> Any:
    """Compile a model for the processor, or load what was compiled before; where nothing can be kept, compile."""
    kept = model.parent / _KEPT
    try:
        kept.mkdir(exist_ok=True)
        _remove_what_was_left_behind(kept)
        scratch = TemporaryDirectory(prefix=_HALF, dir=kept, ignore_cleanup_errors=True)
    except OSError:  # a folder of weights that is not ours to write
        return core.compile_model(model, "CPU", options)
    with scratch as folder:
        for path in kept.glob("*.blob"):
            with suppress(OSError):  # replaced meanwhile, or a file system without links: then it is compiled
                os.link(path, Path(folder) / path.name)
        result = core.compile_model(model, "CPU", options | {"CACHE_DIR": folder})
        for path in Path(folder).glob("*.blob"):
            if not (kept / path.name).exists() or not path.samefile(kept / path.name):  # new, or was damaged
                _keep_only(path, kept)
    return result


def _keep_only(new: Path, kept: Path) -> None:
    """Keep what is new; of the others, 90 MB each, an upgrade would leave one behind every time."""
    new.chmod(0o644)  # OpenVINO's 0400 would lock out the user that the service runs as
    new.rename(kept / new.name)
    for path in kept.glob("*.blob"):
        if path.name != new.name:
            path.unlink(missing_ok=True)


def _remove_what_was_left_behind(kept: Path) -> None:
    for folder in kept.glob(f"{_HALF}*"):
        if time.time() - folder.stat().st_mtime > _LEFT_BEHIND_S:
            shutil.rmtree(folder, ignore_errors=True)
