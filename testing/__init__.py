"""Provide what tests and benchmarks share: servers on loopback, damage, counted words."""
