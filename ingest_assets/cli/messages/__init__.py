"""Define the commands about messages: what has changed in the bucket, and what other applications are told."""
