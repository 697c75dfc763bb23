"""The warm process that runs are forked from, and the cold one that takes its place."""
