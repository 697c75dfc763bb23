"""Read the settings and prepare the Dagster home."""
