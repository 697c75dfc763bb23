"""Decide who may do what: keys, their roles and scopes, and networks that need no key."""
