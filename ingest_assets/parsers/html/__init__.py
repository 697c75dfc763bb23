"""Read HTML pages, and Markdown after rendering it as HTML."""
