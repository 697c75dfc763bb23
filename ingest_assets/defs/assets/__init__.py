"""Define the assets of a file: their graph, what Dagster shows of them, their checks, and how failures are recorded."""
