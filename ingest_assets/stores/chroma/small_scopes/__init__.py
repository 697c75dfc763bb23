"""Search small scopes of Chroma by comparing all of their rows, which Chroma's index cannot find by scope."""
