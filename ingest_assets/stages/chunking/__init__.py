"""Cut a document into chunks, and say what it is about: its words by language, its summary."""
