"""Read plain text, CSV, JSON, JSON lines and source code."""
