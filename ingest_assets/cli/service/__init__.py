"""Define the commands of the HTTP service, and of the processes that run beside it."""
