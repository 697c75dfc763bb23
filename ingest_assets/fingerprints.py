"""Say what each stage's result for a file depends on besides the file's bytes: code versions, settings and models.

A result whose fingerprint has not changed is not made again. A model's name is enough for this; no model is loaded.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import version

import msgspec

from ingest_assets.clients.pictures.picture_models import open_picture_models
from ingest_assets.config.settings import Settings
from ingest_assets.errors import BadInput
from ingest_assets.ledger_records import FileRecord
from ingest_assets.parsers.contract import Limits, Parser
from ingest_assets.parsers.detection import media_type
from ingest_assets.parsers.families import parser_for, version_of
from ingest_assets.stages import caption as caption_stage
from ingest_assets.stages import parse as parse_stage
from ingest_assets.stages import receive as receive_stage
from ingest_assets.stages.chunking import chunk as chunk_stage
from ingest_assets.stages.chunking.chunk import ChunkSizes
from ingest_assets.wiring import open_embedder


def limits_of(settings: Settings) -> Limits:
    """Return the limits on what is read from one file."""
    return Limits(max_pages=settings.max_pages, max_picture_pixels=settings.max_picture_pixels)


def chunk_sizes_of(settings: Settings) -> ChunkSizes:
    """Return the sizes of chunks, in words."""
    return ChunkSizes(max_words=settings.max_words, min_words=settings.min_words, overlap_words=settings.overlap_words)


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """The fingerprint of each stage: what its result depends on besides its input (code version, settings, model)."""

    receive: str
    parse: str
    caption: str
    chunk: str
    embed: str

    @property
    def whole(self) -> str:
        """Fingerprint of all stages together, which the ledger keeps."""
        return fingerprint(self)

    def of_parsed(self, *, sha256: str, media_type: str) -> str:
        """Return the fingerprint of a file's elements: of its bytes, its type and the parse stage."""
        return fingerprint(sha256, media_type, self.parse)

    def of_captions(self, *, parsed: str) -> str:
        """Return the fingerprint of a file's captions; `parsed` is the digest of its elements."""
        return fingerprint(parsed, self.caption)

    def of_chunks(self, *, file_id: str, parsed: str, captions: str) -> str:
        """Return the fingerprint of a file's chunks, given the digests of its elements and captions."""
        return fingerprint(file_id, parsed, captions, self.chunk)


def fingerprints_of(settings: Settings, parser: Parser, *, media_type: str) -> Fingerprints:
    """Derive the fingerprints of a file's stages without opening a model."""
    return Fingerprints(
        receive=receive_fingerprint(settings),
        parse=fingerprint(parse_stage.VERSION, version_of(media_type, parser), limits_of(settings)),
        caption=fingerprint(caption_stage.VERSION, open_picture_models(settings).model),
        chunk=fingerprint(chunk_stage.VERSION, chunk_sizes_of(settings)),
        embed=open_embedder(settings).model,
    )


def fingerprint_of(settings: Settings, record: FileRecord) -> str:
    """Return the fingerprint that a file's record would have if it were ingested under these settings."""
    try:
        parser = parser_for(record.media_type, filename=record.filename)
    except BadInput:
        # A later release may read what this one refuses.
        return fingerprint("refused", version("ingest-assets"), receive_fingerprint(settings))
    return fingerprints_of(settings, parser, media_type=record.media_type).whole


def receive_fingerprint(settings: Settings) -> str:
    """Return the fingerprint of a file's reference; it exists also for files that no parser reads."""
    return fingerprint(receive_stage.VERSION, media_type.VERSION, settings.max_file_mb)


def fingerprint(*parts: object) -> str:
    """Hash plain values to 32 hexadecimal digits."""
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]
