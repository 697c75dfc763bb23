"""Read Rich Text Format (RTF)."""
