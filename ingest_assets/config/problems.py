"""What is wrong with the settings in, the one message that names it out; passwords stay out of it."""

from __future__ import annotations

import re
from typing import Any


def redacted(value: str) -> str:
    """Hide the password of a URL."""
    return re.sub(r"(?<=://)([^/@:]*):[^/@]*@", r"\1:***@", value)


def say(problem: Any) -> str:
    """Say what is wrong with one setting, from pydantic's account of it."""
    where = str(problem["loc"][0]) if problem["loc"] else "settings"
    given = f" (it is {redacted(str(problem['input']))!r})" if problem["loc"] else ""
    return f"{where}: {problem['msg'].removeprefix('Value error, ')}{given}"


def join(problems: list[str]) -> str:
    """List all problems in one message."""
    listing = "\n".join(f"  - {problem}" for problem in problems)
    return f"{len(problems)} setting(s) to mend in the environment (`ingest config` lists them all):\n{listing}"
