"""Keep chunks and the ledger in a vector store: Chroma, PostgreSQL or MongoDB, behind one contract."""
