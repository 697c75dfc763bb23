"""Read Word documents (DOCX)."""
