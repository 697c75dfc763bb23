"""What tests and benchmarks both need: servers on loopback, damage, counted words."""
