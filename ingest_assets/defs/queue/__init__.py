"""Put runs into Dagster's queue, give each its turn, and tell what waits there."""
