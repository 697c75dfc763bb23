"""Detect the media type and the encoding of a file."""
