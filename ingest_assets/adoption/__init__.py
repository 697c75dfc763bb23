"""Move the documents of an earlier system into the store: `ingest adopt`."""
