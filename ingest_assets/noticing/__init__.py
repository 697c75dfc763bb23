"""Notice what has changed in the bucket, and whether it is the known bucket at all."""
