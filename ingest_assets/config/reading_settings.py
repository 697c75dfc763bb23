"""Define the settings of reading: which files are refused, and how texts are cut into chunks."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, Field


class ReadingSettings(BaseModel):
    """Reading and cutting."""

    max_file_mb: int = Field(
        default=50, ge=1, le=10_000, validation_alias="MAX_FILE_MB", description="larger files are refused, in MB"
    )
    max_pages: int = Field(
        default=20_000,
        ge=1,
        validation_alias="INGEST_MAX_PAGES",
        description="files with more pages, slides or sheets are refused",
    )
    max_picture_pixels: int = Field(
        default=40_000_000,
        ge=10_000,
        validation_alias="INGEST_MAX_PICTURE_PIXELS",
        description="larger pictures are left out, with a warning",
    )
    window_parts: int = Field(
        default=16,
        ge=1,
        le=4096,
        validation_alias="INGEST_WINDOW",
        description="pages (slides, blocks of rows or text) in memory at once; never changes the result",
    )
    max_words: int = Field(
        default=500, ge=20, le=5000, validation_alias="INGEST_CHUNK_MAX_WORDS", description="words per chunk, at most"
    )
    min_words: int = Field(
        default=150,
        ge=1,
        validation_alias="INGEST_CHUNK_MIN_WORDS",
        description="words per chunk, at least, where the document allows",
    )
    overlap_words: int = Field(
        default=50,
        ge=0,
        validation_alias="INGEST_CHUNK_OVERLAP_WORDS",
        description="words that a chunk repeats from the one before",
    )

    def reading_problems(self) -> Iterator[str]:
        """Name what is wrong with the settings of reading."""
        if self.min_words + self.overlap_words > self.max_words:
            yield "INGEST_CHUNK_MIN_WORDS + INGEST_CHUNK_OVERLAP_WORDS must not be more than INGEST_CHUNK_MAX_WORDS"
        if self.overlap_words > self.max_words // 2:
            yield "INGEST_CHUNK_OVERLAP_WORDS must not be more than half of INGEST_CHUNK_MAX_WORDS"
