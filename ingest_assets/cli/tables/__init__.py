"""Print what commands found: tables for people, or JSON for programs."""
