"""Read files of many formats and yield their text as elements: one folder per family of formats."""
