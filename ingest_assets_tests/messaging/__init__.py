"""Test the inbox, the outbox and what carries their messages."""
