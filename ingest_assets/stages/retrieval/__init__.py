"""Give back what was read: hits, snippets, whole documents, pages."""
