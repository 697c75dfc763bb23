"""Find out how much memory the host has, which processes hold it, and what is wrong with the settings."""
