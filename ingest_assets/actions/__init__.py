"""Do with a project what commands, requests and jobs ask: maintain its store, write out a document, remove a file."""
