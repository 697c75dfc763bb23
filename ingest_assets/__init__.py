"""Turn the files of an upload bucket into searchable chunks in the team's own vector store."""
