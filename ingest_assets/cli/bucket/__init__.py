"""Define the commands about the bucket as a whole, and what `ingest status` says of it."""
