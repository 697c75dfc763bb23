"""Let requests in or refuse them: whose they are, what that caller may see, and how much is left of each limit."""
