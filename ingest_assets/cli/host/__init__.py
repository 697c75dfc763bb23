"""Define the commands about this host: its plan, its settings, its home."""
