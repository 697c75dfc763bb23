"""Keep chunks and the ledger in PostgreSQL with pgvector."""
