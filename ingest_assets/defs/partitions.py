"""Define the partitions of the assets: one per file in the bucket, named by the file's `file_id`."""

import dagster as dg

FILES = "files"
"""Name of the partitions in the instance."""

files = dg.DynamicPartitionsDefinition(name=FILES)
