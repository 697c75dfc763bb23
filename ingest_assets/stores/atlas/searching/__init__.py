"""Search chunks in MongoDB: by Atlas Vector Search, or by comparing all vectors of a scope."""
