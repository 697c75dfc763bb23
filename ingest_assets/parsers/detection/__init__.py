"""Tell what a file is: its media type, its encoding."""
