"""Turn what is wrong with the settings into one message. Passwords are never shown."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any


def redacted(value: str) -> str:
    """Hide the password of a URL."""
    return re.sub(r"(?<=://)([^/@:]*):[^/@]*@", r"\1:***@", value)


def say(problem: Any, *, secrets: Collection[str]) -> list[str]:
    """List what is wrong according to pydantic, one line for each problem, without the values of `secrets`."""
    lines = str(problem["msg"]).removeprefix("Value error, ").splitlines()
    if not problem["loc"]:
        return lines
    name = str(problem["loc"][0])
    given = "" if name in secrets else f" (it is {redacted(str(problem['input']))!r})"
    return [f"{name}: {line}{given}" for line in lines]


def join(problems: list[str]) -> str:
    """List all problems in one message."""
    listing = "\n".join(f"  - {problem}" for problem in problems)
    return f"{len(problems)} setting(s) to correct in the environment (`ingest config` lists them all):\n{listing}"
