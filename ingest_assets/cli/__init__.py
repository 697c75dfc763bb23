"""Define the command `ingest`."""
