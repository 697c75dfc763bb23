"""One run from its turn to its end: started, capped, watched, ended by name."""
