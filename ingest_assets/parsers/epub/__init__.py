"""Read electronic books (EPUB)."""
