"""Show every setting with its value, its source and its meaning, as `ingest config` does; passwords stay hidden."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from ingest_assets.cli.tables.output import columns, console, print_json, safe
from ingest_assets.config.problems import redacted
from ingest_assets.config.settings import Settings, source_of

_INDENT = "    "


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as `ingest config` shows it."""

    name: str
    value: str
    meaning: str
    came_from: str


def setting_rows(settings: Settings) -> list[SettingRow]:
    """List every setting with its value, its meaning and where the value came from."""
    return [
        SettingRow(
            name=str(field.validation_alias),
            value=_text(getattr(settings, name)),
            meaning=field.description or "",
            came_from=source_of(str(field.validation_alias)),
        )
        for name, field in Settings.model_fields.items()
    ]


def _text(value: object) -> str:
    if value is None:
        return ""
    return redacted(str(int(value) if isinstance(value, bool) else value))


def show_settings(rows: Sequence[SettingRow], *, as_json: bool) -> None:
    """Print two lines or more per setting: name, value and source; below them the meaning."""
    if as_json:
        return print_json(rows)
    out = console()
    for row in rows:
        value = safe(row.value) or "[dim](not set)[/dim]"
        out.print(f"[bold]{row.name}[/bold] = {value}  [dim]{safe(row.came_from)}[/dim]", soft_wrap=True)
        meaning = textwrap.fill(row.meaning, width=columns(), initial_indent=_INDENT, subsequent_indent=_INDENT)
        out.print(safe(meaning), soft_wrap=True)
    return None
