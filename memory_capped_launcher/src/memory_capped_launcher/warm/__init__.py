"""Keep a warm process that runs are forked from, and execute runs without one where it cannot serve."""
