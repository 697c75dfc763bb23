"""Estimate what would be done again under the current code and settings: files, hours and tokens; do nothing.

After an upgrade or a change of settings, files whose fingerprint is out of date are run again at night. A run repeats
the stages whose own code, settings or model changed, and those whose input changed because of that. Which these are is
read from the kept results (`artifacts/`), so an estimate costs no parsing and opens no model.

Every figure is an upper bound: a stage that gives the same result as before ends the chain, and a chunk whose text did
not change keeps its vector.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import mean
from typing import TYPE_CHECKING

import typer

from ingest_assets.cli.tables.output import print_json, wrapped
from ingest_assets.errors import BadInput
from ingest_assets.ledger_records import FileRecord, Origin

if TYPE_CHECKING:
    from ingest_assets.artifacts.manifests import Manifest
    from ingest_assets.fingerprints import Fingerprints
    from ingest_assets.project import Project

_CHARACTERS_PER_TOKEN = 4
"""MiniLM's WordPiece has 4.1 to 4.4 characters a token on the samples; other scripts have fewer."""
_RUN_S = 1.0
"""Begin and end of a run, on top of its stages: a note of 200 bytes takes 1.6 s, of which 0.7 s are in stages."""
_HOW = (
    "The time is that of the files' last runs, one after another; tokens are characters / 4. Text that stays as it is "
    "keeps its vector. The schedule out_of_date does this at night; `ingest add` and backfills do it at once."
)
_INDENT = 18


class Stage(StrEnum):
    """The stages of a file, by the names of their assets."""

    RECEIVE = "raw_files"
    PARSE = "parsed_documents"
    CAPTION = "image_captions"
    CHUNK = "chunks"
    EMBED = "embeddings"


_WHY = {
    Stage.RECEIVE: "not ended well, or recognition of types or MAX_FILE_MB changed",
    Stage.PARSE: "the parser or a limit changed, or its result is not kept",
    Stage.CAPTION: "the models for pictures changed",
    Stage.CHUNK: "the chunk sizes or the way of cutting changed",
    Stage.EMBED: "the embedding model changed",
}


@dataclass(frozen=True, slots=True)
class Rework:
    """One file that would be run again."""

    key: str
    first: Stage
    """The first stage that changed."""
    seconds: float
    tokens: int
    """Tokens that would be embedded."""
    pictures: int
    """Pictures that would be read or described again."""


def plan_rework(project: Project) -> tuple[list[Rework], int]:
    """List the bucket's files that would be run again, and count all that the ledger knows."""
    from ingest_assets.stores.contract import all_records

    records = [record for record in all_records(project.store) if record.origin is Origin.BUCKET]
    rates = _seconds_per_file(records)
    stale = (record for record in records if record.fingerprint != project.current_fingerprint(record))
    return [_rework(record, _changed_here(project, record), rates) for record in stale], len(records)


def _changed_here(project: Project, record: FileRecord) -> set[Stage]:
    from ingest_assets.fingerprints import fingerprints_of
    from ingest_assets.parsers.families import parser_for

    try:
        parser = parser_for(record.media_type, filename=record.filename)
    except BadInput:  # it was refused; a new release may read it
        return {Stage.RECEIVE}
    fingerprints = fingerprints_of(project.model_settings, parser, media_type=record.media_type)
    return changed_stages(
        record, fingerprints, kept={stage: project.artifacts.manifest(stage, record.file_id) for stage in Stage}
    )


def changed_stages(
    record: FileRecord, fingerprints: Fingerprints, *, kept: Mapping[Stage, Manifest | None]
) -> set[Stage]:
    """Return the stages whose own code, settings or model changed since the file's results were made.

    Each kept result is compared with the fingerprint that its asset would give it now for the input it had then.
    """
    parsed, captions, chunks = kept[Stage.PARSE], kept[Stage.CAPTION], kept[Stage.CHUNK]
    if not record.generation or not record.sha256:
        return {Stage.RECEIVE}
    changed = set()
    if _differs(parsed, fingerprints.of_parsed(sha256=record.sha256, media_type=record.media_type)):
        changed.add(Stage.PARSE)
    if parsed and _differs(captions, fingerprints.of_captions(parsed=parsed.digest)):
        changed.add(Stage.CAPTION)
    if parsed and captions:
        digests = {"parsed": parsed.digest, "captions": captions.digest}
        if _differs(chunks, fingerprints.of_chunks(file_id=record.file_id, **digests)):
            changed.add(Stage.CHUNK)
    if record.model != fingerprints.embed:
        changed.add(Stage.EMBED)
    return changed or {Stage.RECEIVE}


def _differs(kept: Manifest | None, fingerprint: str) -> bool:
    return kept is None or kept.fingerprint != fingerprint


def _rework(record: FileRecord, changed: set[Stage], rates: Mapping[str, float]) -> Rework:
    """Estimate one file from what it took the last time; without that, from what others of its type took."""
    order = list(Stage)
    first = next(stage for stage in order if stage in changed)
    redone = set(order[order.index(first) :])
    if first is Stage.PARSE:
        redone -= {Stage.CAPTION} - changed  # captions are kept by picture: a new parse alone reads none again
    spent = {cost.stage: cost.seconds for cost in record.stages}
    seconds = sum(spent.get(stage, 0.0) for stage in redone) if spent else rates.get(record.media_type, rates[""])
    return Rework(
        key=record.key,
        first=first,
        seconds=_RUN_S + seconds,
        tokens=record.characters // _CHARACTERS_PER_TOKEN,
        pictures=record.pictures if Stage.CAPTION in redone else 0,
    )


def show_plan(found: Sequence[Rework], *, known: int, as_json: bool) -> None:
    """Print the plan by the first stage that changed."""
    by_stage = {stage: [each for each in found if each.first is stage] for stage in Stage}
    if as_json:
        stages = [{"stage": stage, "why": _WHY[stage], **_sums(files)} for stage, files in by_stage.items() if files]
        return print_json({"known": known, **_sums(found), "stages": stages, "keys": [each.key for each in found]})
    if not found:
        return typer.echo(f"nothing would be done anew: {known} files")
    typer.echo(wrapped(f"{len(found)} of {known} files would be done anew, which takes at most {_told(found)}"))
    for stage, files in by_stage.items():
        if files:
            count = f"{len(files)} file{'' if len(files) == 1 else 's'}"
            typer.echo(wrapped(f"{stage:<{_INDENT}}{count}, {_told(files)}: {_WHY[stage]}", indent=" " * _INDENT))
    return typer.echo(wrapped(_HOW))


def _told(files: Sequence[Rework]) -> str:
    seconds = sum(each.seconds for each in files)
    time = f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"
    sums = _sums(files)
    return f"{time}, {sums['tokens']:,} tokens to embed, {sums['pictures']:,} pictures to read"


def _sums(files: Sequence[Rework]) -> dict[str, float]:
    return {
        "files": len(files),
        "hours": round(sum(each.seconds for each in files) / 3600, 3),
        "tokens": sum(each.tokens for each in files),
        "pictures": sum(each.pictures for each in files),
    }


def _seconds_per_file(records: Iterable[FileRecord]) -> dict[str, float]:
    """Return the mean seconds of a file by media type, and of all files under the empty name."""
    spent = defaultdict(list)
    for record in records:
        if record.stages:
            spent[record.media_type].append(record.seconds)
            spent[""].append(record.seconds)
    return {"": 0.0, **{media_type: mean(seconds) for media_type, seconds in spent.items()}}
