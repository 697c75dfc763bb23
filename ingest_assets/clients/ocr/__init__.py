"""Read the text in pictures (OCR)."""
