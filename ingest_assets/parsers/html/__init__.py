"""Read HTML pages, and Markdown by way of HTML."""
