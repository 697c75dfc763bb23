"""Show a file's assets in Dagster's catalog: places, previews, metadata, links to the source."""
