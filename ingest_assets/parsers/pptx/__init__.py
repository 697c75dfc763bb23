"""Read PowerPoint presentations (PPTX)."""
