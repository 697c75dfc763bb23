"""Show the documents of a project: list, read, search and remove them, page by page and chunk by chunk."""
