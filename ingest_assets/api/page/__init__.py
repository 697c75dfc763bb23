"""Show the page for people, and keep who has signed in on it."""
