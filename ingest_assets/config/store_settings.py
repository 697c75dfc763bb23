"""Define the settings of the vector store: which one it is, and how each of the three is reached."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, Field


class StoreSettings(BaseModel):
    """The vector store."""

    store: Literal["chroma", "pgvector", "atlas"] = Field(
        default="chroma", validation_alias="INGEST_STORE", description="the vector store: chroma, pgvector or atlas"
    )
    chroma: str = Field(
        default="",
        validation_alias="INGEST_CHROMA",
        description="Chroma: a folder (embedded) or the http(s):// URL of a server",
    )
    chroma_tenant: str = Field(
        default="default_tenant", validation_alias="INGEST_CHROMA_TENANT", description="Chroma server: tenant"
    )
    chroma_database: str = Field(
        default="default_database", validation_alias="INGEST_CHROMA_DATABASE", description="Chroma server: database"
    )
    pgvector: str = Field(
        default="",
        validation_alias="INGEST_PGVECTOR",
        description="PostgreSQL: postgresql://user:password@host:port/database",
    )
    pgvector_schema: str = Field(
        default="public",
        pattern="^[A-Za-z_][A-Za-z0-9_$]{0,62}$",
        validation_alias="INGEST_PGVECTOR_SCHEMA",
        description="PostgreSQL: schema of the tables; name another if the database has tables `chunks` or `files`",
    )
    pgvector_halfvec: bool = Field(
        default=False,
        validation_alias="INGEST_PGVECTOR_HALFVEC",
        description="PostgreSQL: keep vectors as 16-bit numbers, in half the space",
    )
    mongo_uri: str = Field(
        default="",
        validation_alias="MONGO_URI",
        description="MongoDB: mongodb:// or mongodb+srv:// with user and password",
    )
    mongo_db: str = Field(
        default="studybuddy", min_length=1, validation_alias="MONGO_DB", description="MongoDB: name of the database"
    )
    atlas_vector: bool = Field(
        default=False,
        validation_alias="ATLAS_VECTOR",
        description="MongoDB: 1 searches by an Atlas Vector Search index, 0 exactly, row by row",
    )

    def store_problems(self) -> Iterator[str]:
        """Name what is wrong with the settings of the store."""
        if self.store == "pgvector" and not self.pgvector:
            yield "INGEST_PGVECTOR: INGEST_STORE is pgvector, and this is empty; set it to the URL of the database"
        if self.store == "atlas" and not self.mongo_uri:
            yield "MONGO_URI: INGEST_STORE is atlas, and this is empty; set it to the URI of the server"
