"""Define the launcher's errors, one class for each kind of person or thing that has to act.

LauncherError
├── LauncherConfigError        the operator has to change a setting, a tag or a folder
└── LauncherUnavailableError   a disk, a process or an interpreter did not answer; trying again may help

Every message says what is wrong, where, and what to do.
"""

from __future__ import annotations


class LauncherError(Exception):
    """Base class of all errors that this package raises."""


class LauncherConfigError(LauncherError):
    """A setting, a run's tag or the launcher's folder is wrong; nothing changes until the operator changes it."""


class LauncherUnavailableError(LauncherError):
    """The disk, the warm process or the Python interpreter cannot be used now; try again later."""
