"""Bytes in, elements out: one module per family of formats."""
