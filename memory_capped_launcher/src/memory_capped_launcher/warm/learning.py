"""Let the warm process learn from its runs which costly modules they import, and import these once for later runs.

`preload_modules` costs memory for as long as the warm process lives, also on a host whose runs never need them. The
modules in `learn_modules` are imported by the warm process only after two of its runs have imported them by themselves:
one run may be an exception, and a command that starts one run alone is not slowed down. What is noted lies in files,
because a run is not the warm process's child but its supervisor's, and is forgotten when the warm process ends.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_RUNS = 2
"""Runs that must have imported a module."""


def not_imported(names: Sequence[str]) -> list[str]:
    """Return those of these modules that this process has not imported."""
    return [name for name in names if name not in sys.modules]


def note_imports(folder: Path, missing: Sequence[str]) -> None:
    """Note which of the modules that were missing when this run began are imported now that it ends."""
    for name in set(missing) - set(not_imported(missing)):
        with suppress(OSError), _note(folder, name).open("ab") as file:  # the next run notes it again
            file.write(b".")


def learned(folder: Path, names: Sequence[str]) -> list[str]:
    """Return those of these modules that enough runs have imported and this process has not."""
    return [name for name in not_imported(names) if _runs_that_imported(folder, name) >= _RUNS]


def import_all(names: Sequence[str]) -> None:
    """Import these modules. One that cannot be imported is skipped: the run that needs it reports the error."""
    for name in names:
        with suppress(ImportError):
            importlib.import_module(name)


def forget(folder: Path, names: Sequence[str]) -> None:
    """Remove the notes about these modules."""
    for name in names:
        _note(folder, name).unlink(missing_ok=True)


def _runs_that_imported(folder: Path, name: str) -> int:
    try:
        return _note(folder, name).stat().st_size
    except OSError:
        return 0


def _note(folder: Path, name: str) -> Path:
    return folder / f"{name}.imported"
