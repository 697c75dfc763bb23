"""Read the examples of docs/api.md: commands with their answers, and programs with what they print."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from ingest_assets_tests.conftest import ROOT

ADDRESS = "localhost:7860"
"""Where the service answers in all examples."""


def _section(title: str) -> str:
    return (ROOT / "docs/api.md").read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def program(title: str, *, url: str, key: str = "") -> tuple[str, str]:
    """Return the last program of a section, for a service and a key, and what stands below it as its output."""
    section = _section(title)
    code: str = re.findall(r"```python\n(.*?)```\n", section, re.DOTALL)[-1]
    shown = section.partition(code)[2].partition("```\n```\n")[2].partition("```")[0]
    assert shown, "the example and its output stand one behind the other"
    return code.replace(f"http://{ADDRESS}", url).replace("ia_…", key), shown


def answer_of(command: str, *, url: str, cwd: Path, environment: Mapping[str, str]) -> str:
    """Run a command against a service, and return what it prints."""
    command = command.replace(ADDRESS, url.removeprefix("http://"))
    done = subprocess.run(
        ["bash", "-c", command], cwd=cwd, env=dict(environment), capture_output=True, text=True, timeout=60
    )
    return done.stdout or done.stderr


def blocks(section: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a section with what stands below it: `$` begins a command, `…` is any text."""
    for block in re.findall(r"```\n(\$ .*?)\n```", _section(section), re.DOTALL):
        for part in re.split(r"(?m)^\$ ", block)[1:]:
            command, answer = _split(part)
            yield command, answer


def _split(part: str) -> tuple[str, str]:
    """Separate a command, which goes on to where its quotes are closed, from what it prints."""
    lines = part.split("\n")
    for number in range(1, len(lines) + 1):
        command = "\n".join(lines[:number])
        heredoc = re.search(r"<<'(\w+)'", command)
        if command.count("'") % 2 == 0 and (heredoc is None or lines[number - 1] == heredoc[1]):
            return command, "\n".join(lines[number:])
    raise AssertionError(part)


def is_like(answer: str, shown: str) -> bool:
    """Tell whether an answer is the one that is shown, where `…` stands for any text."""
    pattern = ".*?".join(re.escape(piece.strip(" ")) for piece in shown.strip().split("…"))
    return re.fullmatch(pattern, answer.strip(), re.DOTALL) is not None
