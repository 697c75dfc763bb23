"""One dynamic partition per file in the bucket; its key is the file's `file_id`."""

import dagster as dg

files = dg.DynamicPartitionsDefinition(name="files")
