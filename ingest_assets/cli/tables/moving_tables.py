"""Print what is moved in from an earlier system: lines for people, or JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ingest_assets.adoption.adopt import Adopted, Step
from ingest_assets.adoption.moving_in import counted
from ingest_assets.cli.tables.output import console, print_json, safe


def show_adopted(each: Adopted) -> None:
    """Print a line for one document or file; unchanged ones are only counted at the end."""
    if each.step is Step.UNCHANGED and each.is_whole:
        return
    vectors = (
        f": {each.chunks} chunks, {each.kept} vectors kept, {each.to_embed} to embed"
        if each.to_embed + each.kept
        else ""
    )
    refused = f" ({each.refused_rows} rows refused)" if each.refused_rows else ""
    reason = f": {each.reason}" if each.reason else ""
    console().print(safe(f"{each.step.value}  {each.key}{vectors}{refused}{reason}"), soft_wrap=True)


def show_plan(done: Sequence[Adopted], *, applied: bool, fields: Sequence[str], as_json: bool) -> None:
    """Print from which fields rows were read, and how much was done or would be."""
    counts = counted(done)
    if as_json:
        rows = [{**msgspec.to_builtins(each), "step": each.step.name.lower()} for each in done]
        return print_json({"applied": applied, "fields": list(fields), "counts": counts, "documents": rows})
    out = console()
    if fields:
        out.print(safe(f"read from the fields: {', '.join(fields)}"), soft_wrap=True)
    out.print(safe(", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.items())), soft_wrap=True)
    if not applied and any(each.step in {Step.ADOPT, Step.REPLACE, Step.UPLOAD} for each in done):
        out.print("nothing was changed; run it again with --apply")
    return None
