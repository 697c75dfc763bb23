"""Draw the pages of documents, and name the pictures that stand in their chunks."""
