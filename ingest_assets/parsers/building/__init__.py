"""What every family of parsers builds its elements with."""
