"""Read the words in a picture."""
