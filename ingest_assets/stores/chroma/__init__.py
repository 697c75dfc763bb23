"""Keep chunks and the ledger in Chroma: embedded in the process, or on a server."""
