"""Keep chunks and the ledger in MongoDB, on Atlas or elsewhere."""
