"""Supervise one run: start it in its turn, cap it, watch it, name its end and report it."""
