"""Test the index of files and the database that it stands in."""
