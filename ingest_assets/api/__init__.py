"""Answer HTTP requests: thin endpoints over the stages and the store."""
