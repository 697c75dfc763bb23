"""Write the index of the decisions from the titles in the files beside it: `python docs/decisions/index.py`."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
INTRODUCTION = """# Decisions

One dated paragraph for each: what was chosen, why, and what would reverse it. A new decision goes into the file of its
theme; then run `python docs/decisions/index.py`, which writes this page.
"""
_TITLE = re.compile(r"^\*\*(\d{4}-\d{2}-\d{2})\. (.+?)(?:\.|,|:)?\*\*", re.MULTILINE | re.DOTALL)


def index() -> str:
    """Return the page: each theme with the titles of its decisions, oldest first."""
    themes = [_theme(path) for path in sorted(HERE.glob("*.md")) if path.name != "README.md"]
    return "\n".join([INTRODUCTION, *themes])


def _theme(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    heading = text.partition("\n")[0].removeprefix("# ")
    about = text.split("\n\n")[1].replace("\n", " ")
    titles = [
        f"- {date}: {' '.join(title.split())}" for date, title in sorted(_TITLE.findall(text), key=lambda it: it[0])
    ]
    return "\n".join([f"## [{heading}]({path.name})", "", about, "", *titles, ""])


if __name__ == "__main__":
    (HERE / "README.md").write_text(index(), encoding="utf-8")
