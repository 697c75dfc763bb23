"""Define the commands about files: put in, run, list, search, remove."""
