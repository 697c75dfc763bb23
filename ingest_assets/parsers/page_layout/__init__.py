"""Arrange the text of a page into rows, columns, paragraphs and tables; PDF and OCR share it."""
