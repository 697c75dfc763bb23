"""Define the commands about the whole store, and the one that moves in from an earlier system."""
