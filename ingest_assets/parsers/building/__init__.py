"""Build elements and parts; every family of parsers uses it."""
