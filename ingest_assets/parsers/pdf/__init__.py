"""Read PDF files, a few pages at a time."""
