"""Files in an upload bucket in, searchable chunks in the team's own vector store out."""
