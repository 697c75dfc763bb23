"""Take in what others say has changed, and tell others what became of it: the inbox, the outbox and their carriers."""
