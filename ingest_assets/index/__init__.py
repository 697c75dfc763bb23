"""Keep what has to be found quickly beside the Dagster instance: an index of all files, the inbox and the outbox."""
