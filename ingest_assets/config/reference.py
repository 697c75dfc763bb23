"""Write the page of documentation that lists every setting (docs/settings.md), from the settings themselves."""

from __future__ import annotations

import sys

from pydantic import BaseModel

from ingest_assets.config.settings import FILE_SECRETS, FROM_FILE, IN_THE_HOME, INSTANCE_DB, Settings

_HEAD = f"""# Settings

Written by `python -m ingest_assets.config.reference > docs/settings.md`; a test compares it with the code.

Settings are environment variables. They may also stand in a file `.env` in the working directory, as `NAME=value`
lines: `ingest`, Dagster's commands and its daemon all read it there, and its values win over those of the environment.
`ingest config` shows each value and where it comes from. A wrong value, or a name that begins with `INGEST_` and is no
setting, stops the start with one message that names every problem.

{", ".join(f"`{name}`" for name in FILE_SECRETS)} may hold a password. Each may come from a file instead:
set its name with `{FROM_FILE}` behind it (`{FILE_SECRETS[1]}{FROM_FILE}=/run/secrets/database`) to the path of a file
that holds the value and nothing else. `{INSTANCE_DB}` may hold a password too; it stands in the environment only,
where Dagster's own processes read it. No message and no page shows what is in these.
"""
_TABLE = "| setting | default | meaning |\n| --- | --- | --- |\n"


def settings_page() -> str:
    """Return the whole page as Markdown, a table for each theme."""
    return _HEAD + "".join(_table(theme) for theme in reversed(Settings.__bases__) if issubclass(theme, BaseModel))


def _table(theme: type[BaseModel]) -> str:
    rows = [f"\n## {(theme.__doc__ or '').rstrip('.')}\n\n{_TABLE}"]
    for field in theme.model_fields.values():
        name, meaning = str(field.validation_alias), (field.description or "").replace("|", "\\|")
        default = f"`{IN_THE_HOME[name]}/` in the home" if name in IN_THE_HOME else _shown(field.default)
        rows.append(f"| `{name}` | {default} | {meaning} |\n")
    return "".join(rows)


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return "`1`" if default else "`0`"
    text = str(default) if default is not None else ""
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    sys.stdout.write(settings_page())
