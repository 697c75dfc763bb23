"""Read XML: documents, and data as rows."""
