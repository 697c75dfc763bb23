"""Keep the files that requests bring, all of a request or none, and say what becomes of them."""
