"""Read the text layer of a page: its runs, their headings, footnotes and form fields."""
