"""Guard connections over HTTP: those that are made to addresses from outside, and those that clients open."""
