"""Record what became of a file: its progress, its publication, its failures."""
